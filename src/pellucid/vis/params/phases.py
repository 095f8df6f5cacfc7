"""Pictures whose amplitudes are those of natural pictures."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, mixing, unsquash
from pellucid.vis.params.spectrum import copies, frequencies, pictured

CPU = torch.device("cpu")

# How fast amplitudes fall where no statistic is given: the mean over the three colour axes of what fits 256 pictures of the
# terrarium best, 1.17, 1.37 and 1.31 (straight lines through log amplitude over log frequency, from 0.02 cycles per pixel to
# 0.5, in rings of equal width in log frequency; seed 0). The axes of `COLOURS` already carry how far natural colours spread.
EXPONENT = 1.3
SPREAD = 2.0  # then, the standard deviation over the picture along each axis: about 0.24 in each channel after `squash`
MEAN = 1.0  # then, the largest mean over the picture along each axis


@dataclass(frozen=True, kw_only=True)
class maco:
    """Pictures whose Fourier amplitudes are fixed to a mean of natural pictures; only the phases are optimised.

    Magnitude Constrained Optimization (Fel et al. 2023, Unlocking Feature Visualization for Deeper Networks with MAgnitude
    Constrained Optimization, section 3): no contrast can be gained by noise, at any number of steps. Of the coefficients that
    are real (the constant one and at most three more) the phase chooses sign and size, up to the fixed amplitude. It starts from
    uniform phases; a photo that is put gives its phases.

    Args:
        magnitude: of `mean_magnitude`, which brings its colour axes along; None for a power law 1 / frequency^1.3 of the same
            energy along the axes of natural pictures.

    >>> canvas = maco()(2, 3, 8, 9, generators=[torch.Generator()] * 2, device=torch.device("cpu"))
    >>> canvas.params[0].shape, canvas.images().shape
    (torch.Size([2, 3, 8, 5]), torch.Size([2, 3, 8, 9]))
    """

    magnitude: Magnitude | None = None

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        fixed = power_law(height, width) if self.magnitude is None else self.magnitude.at(channels, height, width)
        fixed = fixed.expand(channels, -1, -1).to(device)
        mirrored = -torch.arange(height, device=device) % height
        # A normal angle of deviation π is uniform to a hundredth.
        phases = noise((channels, height, width // 2 + 1), math.pi, generators[:count], device)
        mix = mixing(self.colours_of(channels), channels, device)

        def images() -> Float[Tensor, "n c h w"]:
            angles = _of_real_pictures(phases, mirrored, width)
            return pictured(torch.stack([angles.cos(), angles.sin()], -1), fixed[..., None], mix, (height, width))

        @torch.no_grad()
        def put(given: Float[Tensor, "n c h w"]) -> None:
            spectrum = torch.fft.rfft2(unsquash(given.to(phases), mix), norm="ortho")
            phases.copy_(spectrum.angle())
            own = _own_mirrors(mirrored, width)
            phases[..., own] = (spectrum.real / fixed)[..., own].clamp(-1, 1).acos()

        return Canvas([phases], images, put)

    def colours_of(self, channels: int) -> Colours:
        """The colour axes for so many channels: none where the statistic is of another number."""
        if self.magnitude is None:
            return "natural"
        return self.magnitude.colours if len(self.magnitude.values) == channels else None


@dataclass(frozen=True, eq=False, repr=False)
class Magnitude:
    """The mean amplitude spectrum of pictures, before `squash` and along their colour axes.

    Attributes:
        values: mean |rfft2| with norm "ortho", which at a frequency in cycles per pixel does not depend on the size.
        width: of the pictures in pixels.
        colours: the axes.
    """

    values: Float[Tensor, "c h f"]
    width: int
    colours: Colours

    def __repr__(self) -> str:
        channels, height, _ = self.values.shape
        checksum = zlib.crc32(self.values.contiguous().numpy().tobytes())
        return f"<Magnitude of {channels} × {height} × {self.width}, {checksum:08x}>"

    def at(self, channels: int, height: int, width: int) -> Float[Tensor, "c h f"]:
        """The spectrum for another size, or another number of channels, all of which get the channels' root mean square.

        Interpolated at equal cycles per pixel, after multiplication by the frequency, which makes natural spectra nearly flat.
        """
        values = self.values if channels == len(self.values) else self._of_any_channel().expand(channels, -1, -1)
        rows = values.shape[1]
        if (height, width) == (rows, self.width):
            return values
        flat = (values * frequencies(rows, self.width)).roll(rows // 2, 1)
        around = flat[:, max(0, rows // 2 - 1) : rows // 2 + 2, :2]  # of the constant coefficient, which is zero now
        flat[:, rows // 2, 0] = around.sum((1, 2)) / max(1, around[0].numel() - 1)
        if rows % 2 == 0:  # half a cycle down is half a cycle up
            flat = torch.cat([flat, flat[:, :1]], 1)
        down = _linear(torch.fft.fftfreq(height) * rows + rows // 2, flat.shape[1])
        right = _linear(torch.fft.rfftfreq(width) * self.width, flat.shape[2])
        result = down @ flat @ right.T / frequencies(height, width)
        result[:, 0, 0] = values[:, 0, 0] * (height * width / (rows * self.width)) ** 0.5
        return result

    def _of_any_channel(self) -> Float[Tensor, "h f"]:
        mix = mixing(self.colours, len(self.values), CPU)
        squares = self.values.square()
        return (squares if mix is None else torch.einsum("oc,chf->ohf", mix.square(), squares)).mean(0).sqrt()


def mean_magnitude(images: Iterable[Float[Tensor, "c h w"]], *, colours: Colours = "natural") -> Magnitude:
    """The mean amplitude spectrum of pictures, for `maco` (Fel et al. 2023, section 3).

    Of their periodic components (Moisan 2011): opposite borders of a photo differ, and the jump between them, which is none of
    what it shows, would come out as horizontal and vertical streaks.

    Args:
        images: in [0, 1], of one number of channels, as large as the network sees them; the first one's size is that of the
            result, to which the spectra of others are interpolated.
        colours: as in `fourier`; what is made with the result has these axes too.

    Raises:
        UsageError: no pictures, or `colours` does not suit their number of channels.

    >>> mean_magnitude(torch.rand(4, 3, 16, 24)).values.shape
    torch.Size([3, 16, 13])
    """
    total, count = None, 0
    for image in images:
        channels, height, width = image.shape
        values = unsquash(image[None].detach().cpu().float(), mixing(colours, channels, CPU))[0]
        single = Magnitude(_periodic(values).abs(), width, colours)
        size = (channels, height, width) if total is None else (len(total.values), total.values.shape[1], total.width)
        if size[0] != channels:
            raise UsageError(f"images have {size[0]} channels and {channels}: give pictures of one number of channels")
        so_far = 0.0 if total is None else total.values
        total, count = Magnitude(so_far + single.at(*size).double(), size[2], colours), count + 1
    if total is None:
        raise UsageError("images has no picture to take amplitudes from: give at least one")
    return Magnitude((total.values / count).float(), total.width, colours)


def _periodic(values: Float[Tensor, "c h w"]) -> Complex[Tensor, "c h f"]:
    """The spectrum of pictures less the smoothest ones with the same jumps between opposite borders (Moisan 2011, equation 11)."""
    jumps = torch.zeros_like(values)
    for axis in (1, 2):
        jump = values.narrow(axis, 0, 1) - values.narrow(axis, values.shape[axis] - 1, 1)
        jumps.narrow(axis, 0, 1).add_(jump)
        jumps.narrow(axis, values.shape[axis] - 1, 1).sub_(jump)
    down, right = torch.fft.fftfreq(values.shape[1]), torch.fft.rfftfreq(values.shape[2])
    bends = 4 - 2 * torch.cos(2 * math.pi * down)[:, None] - 2 * torch.cos(2 * math.pi * right)
    bends[0, 0] = math.inf  # the mean stays
    return torch.fft.rfft2(values, norm="ortho") - torch.fft.rfft2(jumps, norm="ortho") / bends


def power_law(height: int, width: int) -> Float[Tensor, "h f"]:
    """Amplitudes as of natural pictures: 1 / frequency^1.3, of the deviation 2 over the picture at any size.

    >>> power_law(4, 6).shape
    torch.Size([4, 4])
    """
    frequency = frequencies(height, width)
    falling = torch.where(frequency > 0, frequency**-EXPONENT, 0.0)
    fixed = falling * (SPREAD / ((falling**2 * copies(width)).sum() / (height * width)).sqrt())
    fixed[0, 0] = MEAN * (height * width) ** 0.5
    return fixed


def _of_real_pictures(phases: Float[Tensor, "n c h f"], mirrored: Tensor, width: int) -> Float[Tensor, "n c h f"]:
    """The phases with opposite ones where a coefficient and its mirror image are both there: in the first and an even last column.

    Of other phases the inverse transform would read the mean of the two coefficients, which is smaller than either.
    """
    alone = mirrored == torch.arange(len(mirrored), device=phases.device)

    def opposite(column: Float[Tensor, "n c h 1"]) -> Float[Tensor, "n c h 1"]:
        return torch.where(alone[:, None], column, (column - column[:, :, mirrored]) / 2)

    last = phases.shape[3] - 1 if width % 2 == 0 else phases.shape[3]
    parts = phases[..., :1], phases[..., 1:last], phases[..., last:]
    return torch.cat([opposite(parts[0]), parts[1], opposite(parts[2])], 3)


def _own_mirrors(mirrored: Tensor, width: int) -> Tensor:
    """Which coefficients are their own mirror images."""
    rows = torch.arange(len(mirrored), device=mirrored.device)
    return (mirrored == rows)[:, None] & (copies(width).to(mirrored.device) == 1)


def _linear(places: Float[Tensor, " p"], count: int) -> Float[Tensor, "p k"]:
    """How much each of `count` numbers in a row counts at each place between them."""
    return (1 - (places.clamp(0, count - 1)[:, None] - torch.arange(count)).abs()).clamp(min=0)
