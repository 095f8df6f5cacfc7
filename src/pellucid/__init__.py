"""See what a vision network has learned.

>>> import pellucid
>>> model = pellucid.load("terrarium")
>>> model.layer("mixed4a").channels
160

Every public name is here and is imported when it is first used, so that `import pellucid` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.analysis.attribution import attribute as attribute
    from pellucid.analysis.quality import quality as quality
    from pellucid.analysis.quality import reference as reference
    from pellucid.analysis.sparse import train_features as train_features
    from pellucid.build import build_site as build_site
    from pellucid.build import make_plan as make_plan
    from pellucid.data.collect import collect as collect
    from pellucid.data.store import Store as Store
    from pellucid.data.stream import Stream as Stream
    from pellucid.data.stream import open_stream as open_stream
    from pellucid.errors import PellucidError as PellucidError
    from pellucid.figures.make import make_figures as make_figures
    from pellucid.models import Layer as Layer
    from pellucid.models import Model as Model
    from pellucid.models import capture as capture
    from pellucid.models import load as load
    from pellucid.models import redirected_relu as redirected_relu
    from pellucid.models.extended import extend as extend
    from pellucid.vis import Diverged as Diverged
    from pellucid.vis import Method as Method
    from pellucid.vis import Objective as Objective
    from pellucid.vis import Rendering as Rendering
    from pellucid.vis import channel as channel
    from pellucid.vis import direction as direction
    from pellucid.vis import fourier as fourier
    from pellucid.vis import logit as logit
    from pellucid.vis import neuron as neuron
    from pellucid.vis import pixel as pixel
    from pellucid.vis import render as render
    from pellucid.vis import warp as warp
    from pellucid.vis.presets import PRESETS as PRESETS
    from pellucid.vis.prior import load_prior as load_prior
    from pellucid.vis.prior import naturalness as naturalness
    from pellucid.vis.prior import sample as sample
    from pellucid.vis.prior import train_prior as train_prior
    from pellucid.vis.recipes.accentuate import accentuate as accentuate
    from pellucid.vis.recipes.arithmetic import arithmetic as arithmetic
    from pellucid.vis.recipes.dream import dream as dream
    from pellucid.vis.recipes.facets import diverse as diverse
    from pellucid.vis.recipes.grouped import clustered as clustered
    from pellucid.vis.recipes.interpolate import interpolation as interpolation
    from pellucid.vis.recipes.invert import caricature as caricature
    from pellucid.vis.recipes.invert import invert as invert
    from pellucid.vis.recipes.style import style as style

_HOMES = {
    **dict.fromkeys(["build_site", "make_plan"], "build"),
    "attribute": "analysis.attribution",
    **dict.fromkeys(["quality", "reference"], "analysis.quality"),
    "train_features": "analysis.sparse",
    "collect": "data.collect",
    "Store": "data.store",
    "Stream": "data.stream",
    "open_stream": "data.stream",
    "PellucidError": "errors",
    "make_figures": "figures.make",
    **dict.fromkeys(["Layer", "Model", "capture", "load", "redirected_relu"], "models"),
    "extend": "models.extended",
    **dict.fromkeys(["Diverged", "Method", "Objective", "Rendering", "render"], "vis"),
    **dict.fromkeys(["channel", "direction", "fourier", "logit", "neuron", "pixel", "warp"], "vis"),
    "PRESETS": "vis.presets",
    **dict.fromkeys(["load_prior", "naturalness", "sample", "train_prior"], "vis.prior"),
    "accentuate": "vis.recipes.accentuate",
    "arithmetic": "vis.recipes.arithmetic",
    "dream": "vis.recipes.dream",
    "diverse": "vis.recipes.facets",
    "clustered": "vis.recipes.grouped",
    "interpolation": "vis.recipes.interpolate",
    **dict.fromkeys(["caricature", "invert"], "vis.recipes.invert"),
    "style": "vis.recipes.style",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
    return getattr(import_module(f"pellucid.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
