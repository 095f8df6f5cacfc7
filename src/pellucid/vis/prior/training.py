"""Training a prior from pictures."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.vis.prior.denoiser import MULTIPLE, Denoiser
from pellucid.vis.prior.prior import Prior

BATCH = 32
RATES = 0.02, 0.004  # of Muon for the inner convolutions, of Adam for everything else
WARM = 90  # the rates rise in the first ninetieth of the steps
NOISE = -1.2, 1.3  # mean and standard deviation of the logarithm of the noise's strength


def train_prior(
    images: Float[Tensor, "n c h w"] | Iterable[Float[Tensor, "_ c h w"]],
    *,
    size: int = 48,
    steps: int = 9000,
    seed: int = 0,
    mirror: bool = True,
    device: str | torch.device = "cpu",
    autocast: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prior:
    """Learn what pictures are like, by learning to take noise out of them.

    The denoising loss of Karras et al. 2022 (equation 8, weighted as in table 1). Inner convolutions move by Muon (Jordan et
    al. 2024), which gets as far as Adam in half the steps; the prior is a running mean of the weights. On one core that
    computes in bfloat16, 9000 steps at 48 px take about 12 minutes. On a CPU the same call gives the same bits.

    Args:
        images: pictures in [0, 1], some thousands: a tensor, or batches one after the other, as of a stream that reads a folder.
        size: height and width of the pictures that it learns, in pixels, a multiple of 8; the pictures are resized to it.
        steps: of training, from 1, with 32 pictures each.
        seed: of the first weights, the noise and the order of the pictures.
        mirror: whether a mirrored picture is as good as the picture.
        device: where to train.
        autocast: whether to compute in bfloat16; None where the device does that in hardware.
        progress: called with the steps that are done, and their total.

    Raises:
        UsageError: no pictures, pictures of another kind, a size that is no multiple of 8, no steps.

    >>> prior = train_prior(torch.rand(4, 3, 20, 20), size=16, steps=2)
    >>> prior.size, prior.channels
    (16, 3)
    """
    if size < MULTIPLE or size % MULTIPLE:
        raise UsageError(f"size must be a multiple of {MULTIPLE}, not {size}")
    if steps < 1:
        raise UsageError(f"steps must be at least 1, not {steps}")
    device = torch.device(device)
    pictures = _gathered(images, size)
    mean, spread = _statistics(pictures)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Denoiser(len(mean)).to(device)
    settings = {"pictures": len(pictures), "steps": steps, "seed": seed, "mirror": mirror}
    prior = Prior(network, size, mean, spread, settings)
    course = _Course(steps, mirror, _has_bfloat16(device) if autocast is None else autocast, progress)
    with torch.enable_grad():
        averaged = course.run(prior, pictures, torch.Generator().manual_seed(seed))
    # half precision is what is stored: a prior and its copy from a file are the same
    return Prior(averaged.half().float().eval().requires_grad_(False), size, mean, spread, settings)


def _gathered(images: Tensor | Iterable[Tensor], size: int) -> UInt8[Tensor, "n c h w"]:
    """All pictures at the prior's size, in a byte a value."""
    parts: list[Tensor] = []
    for batch in images.split(256) if isinstance(images, Tensor) else images:
        if batch.ndim != 4 or not batch.is_floating_point() or (parts and batch.shape[1] != parts[0].shape[1]):
            raise UsageError(f"images: {batch.dtype} of shape {tuple(batch.shape)}; pictures (n, c, h, w) in [0, 1] are wanted")
        small = F.interpolate(batch.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
        parts.append(small.clamp(0, 1).mul(255).round().to("cpu", torch.uint8))
    if not sum(map(len, parts)):
        raise UsageError("images: a prior needs pictures to learn from, and there are none")
    return torch.cat(parts)


def _statistics(pictures: UInt8[Tensor, "n c h w"]) -> tuple[tuple[float, ...], float]:
    """The mean of each channel, and the standard deviation over all of them, at least one step of grey."""
    values = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in pictures.unbind(1)]).double()
    greys, shares = torch.linspace(0, 1, 256, dtype=torch.float64), values / values.sum(1, keepdim=True)
    mean = shares @ greys
    variance = (shares @ greys.square() - mean.square()).mean()
    return tuple(round(each, 4) for each in mean.tolist()), round(max(variance.sqrt().item(), 1 / 255), 4)


@dataclass(frozen=True)
class _Course:
    """How a prior is trained."""

    steps: int
    mirror: bool
    bfloat16: bool
    progress: Callable[[int, int], None] | None

    def run(self, prior: Prior, pictures: UInt8[Tensor, "n c h w"], generator: torch.Generator) -> Denoiser:
        """The running mean of the network's weights while it trains."""
        averaged, optimiser = copy.deepcopy(prior.network), _Optimiser(prior.network)
        for step in range(self.steps):
            loss = self.loss(prior, _batch(pictures, generator, mirror=self.mirror), generator)
            rise = min(1, WARM * (step + 1) / self.steps)
            optimiser.step(loss, rise * (1 + math.cos(math.pi * step / self.steps)) / 2)
            part = max(0.001, 1 / (1 + 0.06 * (step + 1)))  # what the mean takes from the newest weights
            with torch.no_grad():
                for kept, weight in zip(averaged.parameters(), prior.network.parameters(), strict=True):
                    kept.lerp_(weight, part)
            if self.progress is not None:
                self.progress(step + 1, self.steps)
        return averaged

    def loss(self, prior: Prior, clean: Float[Tensor, "m c h w"], generator: torch.Generator) -> Float[Tensor, ""]:
        sigma = (NOISE[0] + NOISE[1] * torch.randn(len(clean), generator=generator)).exp()
        noise = torch.randn(clean.shape, generator=generator)
        clean, sigma, noise = (each.to(prior.device) for each in (clean, sigma, noise))
        # Entered anew each time: until its end autocast keeps the weights that it has cast, however they move.
        with torch.autocast(prior.device.type, torch.bfloat16, enabled=self.bfloat16):
            denoised = prior.denoise(clean + sigma[:, None, None, None] * noise, sigma)
        weight = (sigma.square() + prior.spread**2) / (sigma * prior.spread).square()
        return ((denoised - clean).square().mean((1, 2, 3)) * weight).mean()


def _batch(pictures: UInt8[Tensor, "n c h w"], generator: torch.Generator, *, mirror: bool) -> Float[Tensor, "m c h w"]:
    chosen = pictures[torch.randint(len(pictures), (BATCH,), generator=generator)].float() / 255
    if not mirror:
        return chosen
    turned = torch.rand(BATCH, generator=generator) < 0.5
    return torch.where(turned[:, None, None, None], chosen.flip(3), chosen)


class _Optimiser:
    """Muon for the inner convolutions, Adam for everything else."""

    def __init__(self, network: Denoiser) -> None:
        outer = {*network.enter.parameters(), *network.leave.parameters()}
        self.inner = [weight for weight in network.parameters() if weight.ndim == 4 and weight not in outer]
        inner = set(self.inner)
        others = [weight for weight in network.parameters() if weight not in inner]
        self.adam = torch.optim.Adam(others, betas=(0.9, 0.99), fused=True)
        self.momenta = [torch.zeros_like(weight) for weight in self.inner]

    def step(self, loss: Tensor, rate: float) -> None:
        self.adam.zero_grad()
        for weight in self.inner:
            weight.grad = None
        loss.backward()
        muon, self.adam.param_groups[0]["lr"] = (each * rate for each in RATES)
        self.adam.step()
        with torch.no_grad():
            for weight, momentum in zip(self.inner, self.momenta, strict=True):
                assert weight.grad is not None
                momentum.lerp_(weight.grad, 0.05)
                weight -= muon * orthogonal(weight.grad.lerp(momentum, 0.95).flatten(1)).view_as(weight)


def orthogonal(matrix: Float[Tensor, "p q"]) -> Float[Tensor, "p q"]:
    """The matrix with all singular values brought near 1: five Newton-Schulz steps (Jordan et al. 2024, Muon).

    Args:
        matrix: any; of a zero one, zeros.

    >>> torch.linalg.svdvals(orthogonal(torch.tensor([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))).round().tolist()
    [1.0, 1.0]
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (2.0315 * square @ square - 4.7750 * square) @ x
    return x


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)
