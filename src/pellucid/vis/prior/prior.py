"""What pictures are like: a denoiser that learned from some, with its preconditioning, in memory and on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pellucid import terrarium
from pellucid.errors import PellucidError, UsageError
from pellucid.files import writing
from pellucid.models.weights import load_weights
from pellucid.vis.prior.denoiser import Denoiser

KEY = "prior"  # of the one entry of the file's metadata: safetensors writes several in an order that changes from run to run
BUNDLED = Path(terrarium.__file__).with_name("prior.safetensors")


@dataclass(frozen=True, eq=False, repr=False)
class Prior:
    """What pictures of some kind are like; made by `train_prior`, read by `load_prior`.

    Attributes:
        network: the denoiser, whose weights are values of half precision.
        size: height and width of the pictures that it knows, in pixels.
        mean: of the pictures it learned from, for each channel.
        spread: their standard deviation, over all channels.
        settings: how it was made, ready for JSON.
    """

    network: Denoiser
    size: int
    mean: tuple[float, ...]
    spread: float
    settings: Mapping[str, Any]

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def device(self) -> torch.device:
        return self.network.enter.weight.device

    @property
    def grey(self) -> Float[Tensor, "c 1 1"]:
        """The mean colour."""
        return torch.tensor(self.mean, device=self.device)[:, None, None]

    @cached_property
    def fingerprint(self) -> str:
        """A hexadecimal SHA-256 over all that its answers depend on."""
        digest = hashlib.sha256(repr((self.size, self.mean, self.spread)).encode())
        for weight in self.network.state_dict().values():
            digest.update(weight.cpu().numpy().tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"<prior of {self.size} px {self.fingerprint[:8]}>"

    def denoise(self, images: Float[Tensor, "n c h w"], sigma: float | Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """The mean of all pictures that could have been these before Gaussian noise was added to them.

        With it the prior's score is known: the gradient of the log density of noisy pictures is (denoised - noisy) / sigma²
        (Miyasawa 1961; Alain and Bengio 2014, theorem 2). The network's inputs and outputs are scaled as of Karras et al. 2022,
        "Elucidating the design space of diffusion-based generative models", table 1.

        Args:
            images: pictures in [0, 1] plus noise, of the prior's channels; their sides are multiples of 8, best the prior's.
            sigma: standard deviation of the noise, above 0, for all or for each; 1 is the whole range from black to white.

        Returns:
            Pictures, about in [0, 1].

        >>> import torch
        >>> from pellucid.vis.prior import train_prior
        >>> greys = torch.rand(8, 3, 1, 1).expand(8, 3, 16, 16)
        >>> prior = train_prior(greys, size=16, steps=2)
        >>> prior.denoise(torch.rand(2, 3, 16, 16), 0.2).shape
        torch.Size([2, 3, 16, 16])
        """
        level = torch.as_tensor(sigma, dtype=images.dtype, device=images.device).expand(len(images))
        noise, spread = level[:, None, None, None], self.spread
        total = (noise.square() + spread**2).sqrt()
        predicted = self.network((images - self.grey) / total, (level / spread).log() / 4).to(images.dtype)
        return self.grey + (images - self.grey) * (spread / total).square() + predicted * (noise * spread / total)

    def save(self, path: str | Path) -> None:
        """Write a `.safetensors` file for `load_prior`, 1.5 MB; the same prior gives the same bytes.

        Raises:
            UsageError: the name ends otherwise.
            PellucidError: the disk is full or the folder cannot be written.
        """
        if Path(path).suffix != ".safetensors":
            raise UsageError(f"path: {path} does not end in .safetensors")
        about = {"size": self.size, "mean": self.mean, "spread": self.spread, "settings": dict(self.settings)}
        weights = {key: value.detach().cpu().half().contiguous() for key, value in self.network.state_dict().items()}
        with writing(Path(path)) as temporary:
            save_file(weights, temporary, metadata={KEY: json.dumps(about, sort_keys=True)})
            temporary.chmod(0o644)  # safetensors makes files that only their owner can read


def load_prior(path: str | Path, *, device: str | torch.device = "cpu") -> Prior:
    """Read a prior that was saved.

    Args:
        path: what `Prior.save` wrote, or `"terrarium"` for the prior that comes with the package.
        device: where it computes.

    Raises:
        UsageError: there is no such file, or its tensors are not a prior's.
        PellucidError: the file cannot be read, or is no prior.

    >>> prior = load_prior("terrarium")
    >>> prior.size, prior.channels
    (48, 3)
    """
    path = BUNDLED if path == "terrarium" else Path(path)
    if not path.is_file():
        raise UsageError(f"prior: there is no file {path}")
    about = _about(path)
    network = Denoiser(len(about["mean"]))
    load_weights(network, path)
    mean, spread = tuple(about["mean"]), about["spread"]
    return Prior(network.to(device).eval().requires_grad_(False), about["size"], mean, spread, about["settings"])


def _about(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            found = file.metadata()
    except (SafetensorError, OSError) as error:
        raise PellucidError(f"prior: {path} is no safetensors file") from error
    if KEY not in (found or {}):
        raise PellucidError(f"prior: {path} was not written by Prior.save")
    return json.loads(found[KEY])
