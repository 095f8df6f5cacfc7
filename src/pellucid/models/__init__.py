"""Any network as a `Model`: its layers, what they answer to pictures, and gradients of it."""

from pellucid.models.capture import capture, prepared
from pellucid.models.logits import logit_attribution
from pellucid.models.model import OUTPUT, Layer, Model
from pellucid.models.pooling import relaxed_pooling
from pellucid.models.receptive import ReceptiveField
from pellucid.models.relus import redirected_relu
from pellucid.models.sources import load

__all__ = [
    "OUTPUT",
    "Layer",
    "Model",
    "ReceptiveField",
    "capture",
    "load",
    "logit_attribution",
    "prepared",
    "redirected_relu",
    "relaxed_pooling",
]
