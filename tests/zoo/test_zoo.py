"""Networks of torchvision, timm and transformers with random weights, as people have them: `make test-zoo`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from tests.models.untouched import untouched

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import Model, capture, load, logit_attribution

# One early and one late layer of each, with channels, rows and columns for a picture of 224.
ZOO = {
    "torchvision:resnet18": {"layer1": (64, 56, 56), "layer3.1": (256, 14, 14)},
    "torchvision:convnext_tiny": {"features.1.0.block.3": (384, 56, 56), "features.5": (384, 14, 14)},
    "torchvision:vit_b_16": {"conv_proj": (768, 14, 14), "encoder.layers.encoder_layer_5": (768, 14, 14)},
    "torchvision:swin_t": {"features.1.0.attn": (96, 56, 56), "features.5": (384, 14, 14)},
    "timm:resnet18@none": {"layer1": (64, 56, 56), "layer3.1": (256, 14, 14)},
    "timm:convnext_atto@none": {"stages.0.blocks.0.mlp.fc1": (160, 56, 56), "stages.2": (160, 14, 14)},
    "timm:vit_tiny_patch16_224@none": {"patch_embed": (192, 14, 14), "blocks.5.mlp.fc1": (768, 14, 14)},
    "timm:swin_tiny_patch4_window7_224@none": {"layers.0.blocks.1": (96, 56, 56), "layers.2": (384, 14, 14)},
}
CONVOLUTIONAL = ("torchvision:resnet18", "torchvision:convnext_tiny", "timm:resnet18@none", "timm:convnext_atto@none")


@cache
def network(spec: str) -> Model:
    pytest.importorskip(spec.partition(":")[0], reason=f"{spec.partition(':')[0]} is not installed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = load(spec)
        for name, weight in model.network.named_parameters():
            if name == "heads.head.weight":  # torchvision starts its ViT with an output of zeros, to which nothing contributes
                torch.nn.init.normal_(weight, std=0.02)
        return model


@pytest.mark.parametrize("spec", ZOO)
def test_layers(spec: str) -> None:
    model = network(spec)
    assert (model.channels, model.size, len(model.mean)) == (3, (224, 224), 3)
    assert {name: (at.channels, at.height, at.width) for name, at in model.layers.items() if name in ZOO[spec]} == ZOO[spec]
    assert len(model.layers) > 50 and model.layer("logits").channels == 1000
    fields = [model.layers[name].receptive_field is not None for name in ZOO[spec]]
    assert all(fields) if spec in CONVOLUTIONAL else not fields[1]


@pytest.mark.parametrize("spec", ZOO)
def test_capture_gives_maps_that_the_images_can_change(spec: str) -> None:
    model = network(spec)
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with untouched(model.network):
        maps = capture(model, images, [*ZOO[spec], "logits"])
    assert {name: tuple(map.shape) for name, map in maps.items()} == {
        **{name: (2, *shape) for name, shape in ZOO[spec].items()},
        "logits": (2, 1000, 1, 1),
    }
    late = maps[list(ZOO[spec])[1]]
    row, col = late.shape[2] // 2, late.shape[3] // 2
    (gradient,) = torch.autograd.grad(late[0, :, row, col].square().sum(), images)
    assert gradient[0].abs().amax() > 0 and gradient[1].abs().amax() == 0


@pytest.mark.parametrize("spec", ZOO)
def test_every_layer_has_the_shape_that_the_list_says(spec: str) -> None:
    model = network(spec)
    with torch.no_grad():
        maps = capture(model, torch.rand(1, 3, 224, 224), list(model.layers))
    assert {name: tuple(map.shape[1:]) for name, map in maps.items()} == {
        name: (layer.channels, layer.height, layer.width) for name, layer in model.layers.items()
    }


@pytest.mark.parametrize("spec", [spec for spec in ZOO if "vit" not in spec and "timm:swin" not in spec])
def test_other_sizes_where_the_network_takes_them(spec: str) -> None:
    late = list(ZOO[spec])[1]
    with torch.no_grad():
        assert capture(network(spec), torch.rand(1, 3, 160, 256), [late])[late].shape[2:] == (10, 16)


def test_positions_of_tokens_are_where_the_pixels_are() -> None:
    model = network("timm:vit_tiny_patch16_224@none")
    images = torch.rand(1, 3, 224, 224).requires_grad_()
    tokens = capture(model, images, ["blocks.0.norm1"])["blocks.0.norm1"]
    (gradient,) = torch.autograd.grad(tokens[0, :, 3, 9].square().sum(), images)
    rows, cols = gradient[0].abs().sum(0).nonzero().unbind(1)
    assert (int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1) == (48, 144, 64, 160)
    field = model.layers["blocks.0.norm1"].receptive_field
    assert field is not None and field.box(3, 9) == (48, 144, 64, 160)


@pytest.mark.parametrize("spec", ZOO)
def test_attributions(spec: str) -> None:
    model, late = network(spec), list(ZOO[spec])[1]
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with untouched(model.network):
        vectors, attributions = logit_attribution(model, images, late, torch.tensor([[4, 6]]))
    assert vectors.shape == (1, ZOO[spec][late][0]) and attributions.shape == (1, 1000)
    assert attributions.isfinite().all() and attributions.abs().max() > 0


@pytest.mark.parametrize("spec", ZOO)
def test_render(spec: str) -> None:
    from pellucid.vis.render import render

    model, late = network(spec), list(ZOO[spec])[1]
    with untouched(model.network):
        first, second = render(model, [f"{late}:1", f"{late}:2"], size=224, steps=2, autocast=False)
    assert first.image.shape == (3, 224, 224) and not torch.equal(first.image, second.image)
    assert len(first.history) == 2 and first.image.isfinite().all()


def test_names_that_the_packages_do_not_know() -> None:
    pytest.importorskip("timm", reason="timm is not installed")
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    with pytest.raises(NotFoundError, match="torchvision model 'resnet19' is not there \\(did you mean resnet18"):
        load("torchvision:resnet19")
    with pytest.raises(NotFoundError, match="'IMAGENET' is not there \\(did you mean IMAGENET1K_V1"):
        load("torchvision:resnet18@IMAGENET")
    with pytest.raises(NotFoundError, match="timm model 'resnet19'"):
        load("timm:resnet19@none")
    with pytest.raises(UsageError, match="timm:resnet18@none for random ones"):
        load("timm:resnet18@random")


def test_an_image_classifier_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    labels = {0: "cat", 1: "dog"}
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label=labels,
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.1, 0.2, 0.3]).save_pretrained(tmp_path)
    model = load(f"hf:{tmp_path}")
    assert (model.size, model.mean, model.classes) == ((32, 32), (0.1, 0.2, 0.3), ("cat", "dog"))
    layer = next(name for name in model.layers if name.endswith("layernorm_before"))
    maps = capture(model, torch.rand(2, 3, 32, 32), [layer, "logits"])
    assert maps[layer].shape == (2, 16, 4, 4) and maps["logits"].shape == (2, 2, 1, 1)
