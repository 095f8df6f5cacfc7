"""Train the terrarium's networks: `python -m pellucid.terrarium.train [--judge]`.

They learn from pictures with a small worst-case change each (Madry et al. 2018, "Towards Deep Learning Models Resistant to
Adversarial Attacks"): a network that must answer the same after it has gradients that follow what people see, so that
pictures optimised for its units show shapes and not grain (Engstrom et al. 2019, "Adversarial Robustness as a Prior for
Learned Representations", arXiv:1906.00945).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import math
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pellucid.terrarium.network import JUDGE_WIDTH, MEAN, STD, WIDTH, Terrarium
from pellucid.terrarium.world import CLASSES, SIZE, draw

FRESH_SEED = 1_000_003  # a world that no training picture comes from
BATCH = 128
REACH = 2.5  # longest worst-case change of a 96 px picture in [0, 1]: its Euclidean norm
SMALL, SMALL_SHARE = 64, 0.75  # the first epochs see reduced pictures: less than half the work a step


def say(text: str) -> None:
    """A line of progress on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _some(indices: range, seed: int) -> tuple[np.ndarray, list[int]]:
    scenes = [draw(index, seed=seed, masks=False) for index in indices]
    return np.stack([np.asarray(scene.picture) for scene in scenes]), [scene.class_index for scene in scenes]


def pictures(count: int, *, seed: int, workers: int | None = None) -> tuple[Tensor, Tensor]:
    """Draw many pictures in parallel.

    Args:
        count: how many; the classes take turns.
        seed: the world they come from.
        workers: processes (default: one for each core; 0 draws in this process).

    Returns:
        uint8 pictures `n c h w` and class indices `n`.

    >>> images, labels = pictures(4, seed=0, workers=0)
    >>> images.shape, labels.tolist()
    (torch.Size([4, 3, 96, 96]), [0, 1, 2, 3])
    """
    chunks = [range(start, min(start + 250, count)) for start in range(0, count, 250)]
    if workers == 0:
        drawn = [_some(chunk, seed) for chunk in chunks]
    else:
        with concurrent.futures.ProcessPoolExecutor(workers or os.cpu_count()) as pool:
            drawn = list(pool.map(partial(_some, seed=seed), chunks))
    images = torch.from_numpy(np.concatenate([each for each, _ in drawn])).permute(0, 3, 1, 2)
    return images, torch.tensor([label for _, labels in drawn for label in labels])


def normalise(images: Tensor) -> Tensor:
    """uint8 or [0, 1] pictures as the networks take them."""
    images = images.float().div(255) if images.dtype == torch.uint8 else images
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def augment(images: Tensor, generator: torch.Generator, size: int = SIZE) -> Tensor:
    """Each picture turned, scaled, shifted, mirrored, recoloured, blurred and roughened in its own way.

    Args:
        images: [0, 1] pictures `n c h w`.
        generator: where the randomness comes from.
        size: side of the pictures that come out, in pixels.

    Returns:
        As many pictures, `size` high and wide; noise may leave [0, 1] a little.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(images), *shape, generator=generator)

    angle, zoom = uniform(-25, 25).deg2rad(), uniform(math.log(0.72), math.log(1.35)).exp()
    mirror = uniform(-1, 1).sign()
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    shift = uniform(-0.22, 0.22, 2)
    matrix = torch.stack([torch.stack([cos * mirror, -sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(matrix, [*images.shape[:2], size, size], align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    soft = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    images = torch.lerp(images, soft, uniform(-0.6, 1.0, 1, 1, 1).clamp(min=0))
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, uniform(0.6, 1.3, 1, 1, 1))  # saturation
    middle = images.mean((1, 2, 3), keepdim=True)
    images = (images - middle) * uniform(0.7, 1.3, 1, 1, 1) + middle * uniform(0.8, 1.2, 3, 1, 1)
    return images + torch.randn(images.shape, generator=generator) * uniform(0, 0.12, 1, 1, 1)


def add_norm(network: nn.Module) -> None:
    """Put a batch normalisation behind every convolution, for training."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                nn.init.kaiming_normal_(child.weight, nonlinearity="relu")
                norm = nn.BatchNorm2d(child.out_channels)
                # below zero, so that a unit answers to less than half of all it sees and means one thing rather than two
                nn.init.constant_(norm.bias, -0.3)
                setattr(module, name, nn.Sequential(child, norm))


def fold_norm(network: nn.Module) -> None:
    """Fold every batch normalisation into its convolution: the network is plain again and computes the same."""
    network.eval()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sequential) and len(child) == 2 and isinstance(child[1], nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(child[0], child[1]))  # pyright: ignore[reportArgumentType]


def answers(network: nn.Module, images: Tensor) -> Tensor:
    """Logits for [0, 1] pictures, computed in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        return network(normalise(images).contiguous(memory_format=torch.channels_last)).float()


def perturb(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, reach: float) -> Tensor:
    """Each picture moved a little along the direction in which the network's loss rises fastest.

    Args:
        network: whose loss rises.
        images: [0, 1] pictures `n c h w`.
        labels: class indices `n`.
        generator: where the lengths of the moves come from.
        reach: the longest move, a Euclidean norm; each picture's is uniform between 0 and this.

    Returns:
        As many pictures; they may leave [0, 1] a little.
    """
    images = images.detach().requires_grad_()
    (slope,) = torch.autograd.grad(functional.cross_entropy(answers(network, images), labels, reduction="sum"), images)
    length = slope.flatten(1).norm(dim=1).clamp(min=1e-12)
    moves = reach * torch.rand(len(images), generator=generator) / length
    return images.detach() + slope * moves.view(-1, 1, 1, 1)


def fit(network: nn.Module, images: Tensor, labels: Tensor, *, epochs: int, seed: int) -> None:
    """Train in place: AdamW, one cosine cycle, smoothed labels, each picture perturbed against the network of the moment."""
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.15)
    network.train().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    begun = time.monotonic()
    for epoch in range(epochs):
        size = SMALL if epoch < epochs * SMALL_SHARE else SIZE
        order, losses, right = torch.randperm(len(images), generator=generator), [], 0
        for picked in order[: len(order) // BATCH * BATCH].split(BATCH):
            batch = augment(images[picked].float().div(255), generator, size)
            # a change of the same strength in each pixel is shorter in a smaller picture
            batch = perturb(network, batch, labels[picked], generator, REACH * size / SIZE)
            logits = answers(network, batch)
            loss = functional.cross_entropy(logits, labels[picked], label_smoothing=0.06)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            right += int((logits.argmax(1) == labels[picked]).sum())
        loss, share, seconds = sum(losses) / len(losses), right / (len(losses) * BATCH), time.monotonic() - begun
        say(f"epoch {epoch + 1}/{epochs}  loss {loss:.3f}  accuracy {share:.4f}  {seconds:.0f} s")


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """The share of right answers for each class, and for all under the name "all"."""
    found = torch.cat([network(normalise(batch)).argmax(1) for batch in images.split(256)])
    right = (found == labels).float()
    return {name: right[labels == k].mean().item() for k, name in enumerate(CLASSES)} | {"all": right.mean().item()}


def save(network: nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write the weights in half precision, all at once or not at all.

    One entry in `about` at most: safetensors writes several in an order that changes from run to run.
    """
    weights = {key: value.detach().half().contiguous() for key, value in network.state_dict().items()}
    partial_path = path.with_name(path.name + ".part")
    save_file(weights, partial_path, metadata=about)
    partial_path.chmod(0o644)  # safetensors makes files that only their owner can read
    partial_path.replace(path)


def main(arguments: list[str] | None = None) -> None:
    """Draw, train, fold, save, and print the accuracy on fresh pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m pellucid.terrarium.train", description="Train the terrarium's network on a CPU."
    )
    parser.add_argument("--judge", action="store_true", help="train the judge: narrower, from another seed")
    parser.add_argument("--seed", type=int, help="default 0, for the judge 1")
    parser.add_argument("--pictures", type=int, help="default 10800, for the judge 8640")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number gives other bits (default 1)")
    parser.add_argument("-o", "--output", type=Path, help="default: the file that the package ships")
    options = parser.parse_args(arguments)
    seed = int(options.judge) if options.seed is None else options.seed
    name = "judge.safetensors" if options.judge else "weights.safetensors"
    output = Path(__file__).with_name(name) if options.output is None else options.output
    count = (8640 if options.judge else 10_800) if options.pictures is None else options.pictures

    begun = time.monotonic()
    torch.set_num_threads(options.threads)
    torch.manual_seed(seed)
    images, labels = pictures(count, seed=seed)
    say(f"{len(images)} pictures of {SIZE} px in {time.monotonic() - begun:.0f} s")
    network = Terrarium(JUDGE_WIDTH if options.judge else WIDTH)
    add_norm(network)
    fit(network, images, labels, epochs=options.epochs, seed=seed)
    fold_norm(network)
    network = network.to(memory_format=torch.contiguous_format).half().float()  # pyright: ignore[reportCallIssue]
    save(network, output, {"made": f"pellucid.terrarium.train: seed {seed}, {count} pictures, {options.epochs} epochs"})
    say(f"{output}: {output.stat().st_size / 1e6:.2f} MB after {time.monotonic() - begun:.0f} s")
    for label, share in accuracy(network, *pictures(120 * len(CLASSES), seed=FRESH_SEED)).items():
        print(f"{share:.4f}  {label}")  # noqa: T201


if __name__ == "__main__":
    main()
