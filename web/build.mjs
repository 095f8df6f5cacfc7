// Builds the viewer into the Python package. The script's first line carries a hash of everything it was made from, so that
// tests/site/test_viewer_build.py can tell a stale build without Node.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const site = join(here, "..", "src", "pellucid", "site");
const out = join(site, "viewer");
const served = join(site, "served"); // what no site on disk has

/** sha256 over path, NUL, text with Unix line ends, NUL of every source file, in the order of their paths. */
function sourceHash() {
  const sources = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(here.length + 1)
        .replaceAll("\\", "/"),
    );
  const hash = createHash("sha256");
  for (const path of [...sources, "build.mjs", "package-lock.json"].sort()) {
    hash.update(`${path}\0${readFileSync(join(here, path), "utf8").replaceAll("\r\n", "\n")}\0`);
  }
  return hash.digest("hex");
}

/** The licences of the packages that ended up in the bundle. */
function licences(metafile) {
  const names = new Set(
    Object.keys(metafile.inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  const texts = [...names]
    .sort()
    .map((name) => `${name}\n\n${readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8").trim()}\n`);
  return `viewer.js contains these packages:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

const common = { absWorkingDir: here, bundle: true, minify: true, write: false, charset: "ascii", legalComments: "none" };
const script = (entry) =>
  build({
    ...common,
    entryPoints: [entry],
    format: "iife",
    target: ["es2020", "chrome90", "firefox90", "safari15"],
    metafile: true,
    banner: { js: `/* pellucid viewer; made from ${sourceHash()} */` },
  });
const viewer = await script("src/main.ts");
const explain = await script("src/explain/main.ts");
const live = await script("src/live/main.ts");
const style = await build({ ...common, entryPoints: ["src/viewer.css"], target: ["chrome90", "firefox90", "safari15"] });

for (const folder of [out, served]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
writeFileSync(join(out, "viewer.js"), viewer.outputFiles[0].contents);
writeFileSync(join(out, "explain.js"), explain.outputFiles[0].contents);
writeFileSync(join(served, "live.js"), live.outputFiles[0].contents);
writeFileSync(join(out, "viewer.css"), style.outputFiles[0].contents);
writeFileSync(join(out, "index.html"), readFileSync(join(here, "src", "index.html"), "utf8").replaceAll("\r\n", "\n"));
writeFileSync(join(out, "licenses.txt"), licences(viewer.metafile));
for (const [name, made] of Object.entries({ viewer, explain, live }))
  console.log(`${name}.js ${(made.outputFiles[0].contents.length / 1024).toFixed(1)} kB`);
