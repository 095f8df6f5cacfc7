"""A prior learned from the user's own pictures: what keeps optimised pictures near to them."""

from pellucid.vis.prior.guide import sample
from pellucid.vis.prior.naturalness import naturalness
from pellucid.vis.prior.prior import Prior, load_prior
from pellucid.vis.prior.training import train_prior
from pellucid.vis.prior.walk import sample_prior

__all__ = ["Prior", "load_prior", "naturalness", "sample", "sample_prior", "train_prior"]
