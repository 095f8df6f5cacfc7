from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes
from tests.models.networks import Tokens, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.analysis.attribution import attention_rollout
from pellucid.errors import UsageError
from pellucid.models import load

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def by_method(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1) @ v


def by_function(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, dim=-1) @ v


class Mixing(nn.Module):
    """A block as timm writes them: one linear map for queries, keys and values, three heads."""

    def __init__(self, attend: Attend) -> None:
        super().__init__()
        self.qkv, self.out, self.attend = nn.Linear(12, 36), nn.Linear(12, 12), attend

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, 3, 4)).permute(2, 0, 3, 1, 4)
        return x + self.out(self.attend(q, k, v).transpose(1, 2).flatten(2))


class Vision(nn.Module):
    """A class token before the grid or none, two blocks."""

    def __init__(self, attend: Attend = fused, *, token: bool = True) -> None:
        super().__init__()
        self.patches, self.blocks, self.head = (
            nn.Conv2d(3, 12, 4, 4),
            nn.Sequential(Mixing(attend), Mixing(attend)),
            nn.Linear(12, 5),
        )
        self.token = nn.Parameter(torch.randn(1, 1, 12)) if token else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        if self.token is not None:
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = self.blocks(x)
        return self.head(x.mean(1) if self.token is None else x[:, 0])


def vision(attend: Attend = fused, *, token: bool = True) -> Vision:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Vision(attend, token=token).eval()


def rolled(network: Vision, images: Tensor) -> Tensor:
    """The rows of the product, head by head and token by token."""
    with torch.no_grad():
        x = network.patches(images).flatten(2).mT
        if network.token is not None:
            x = torch.cat([network.token.expand(len(x), -1, -1), x], 1)
        flow = torch.eye(x.shape[1]).repeat(len(x), 1, 1)
        for block in network.blocks:
            parts = block.qkv(x)
            mean = torch.zeros(len(x), x.shape[1], x.shape[1])
            for head in range(3):
                q, k = (parts[:, :, start + 4 * head : start + 4 * head + 4] for start in (0, 12))
                for i in range(x.shape[1]):
                    weights = torch.exp((q[:, i, None] * k).sum(2) / 2)
                    mean[:, i] += weights / weights.sum(1, keepdim=True) / 3
            flow = (0.5 * mean + 0.5 * torch.eye(x.shape[1])) @ flow
            x = block(x)
        rows = flow.mean(1) if network.token is None else flow[:, 0, 1:]
        return rows.unflatten(1, (4, 4))


@pytest.mark.parametrize("attend", [fused, by_method, by_function])
@pytest.mark.parametrize("token", [True, False])
def test_head_by_head_and_token_by_token(attend: Attend, token: bool) -> None:
    module = vision(attend, token=token)
    model, images = load(module, size=16), noise(3)
    found = attention_rollout(model, images, "class:2")
    torch.testing.assert_close(found.map, rolled(module, model.preprocess(images)), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found.scores, module(model.preprocess(images))[:, 2].detach())
    assert found.map.min() > 0 and found.upsampled().shape == (3, 16, 16)


def test_attention_of_torch_itself() -> None:
    """Whose weights nobody asked for, with a class token before the grid and a register after it."""
    module = seeded(Tokens)
    model, images = load(module, size=16), noise(2)
    found = attention_rollout(model, images, "class:2")
    x = module.get_submodule("patches")(model.preprocess(images)).flatten(2).mT
    x = torch.cat([module.get_parameter("first").expand(2, -1, -1), x, module.get_parameter("last").expand(2, -1, -1)], 1)
    flow = torch.eye(6).repeat(2, 1, 1)
    for name in ("blocks.0", "blocks.1"):
        block = module.get_submodule(name)
        y = block.get_submodule("norm")(x)
        flow = (0.5 * block.get_submodule("attention")(y, y, y)[1] + 0.5 * torch.eye(6)) @ flow
        x = block(x)
    torch.testing.assert_close(found.map.flatten(1), flow[:, 0, 1:5].detach(), atol=1e-6, rtol=1e-4)


def test_an_encoder_of_torch_that_has_a_fast_path() -> None:
    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head = nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 5)
            one = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)
            self.encoder = nn.TransformerEncoder(one, 2, enable_nested_tensor=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.encoder(self.patches(x).flatten(2).mT).mean(1))

    model, images = load(seeded(Encoded), size=16), noise(2)
    found = attention_rollout(model, images, "class:2")
    torch.testing.assert_close(found.map.sum((1, 2)), torch.ones(2))
    with torch.no_grad():
        torch.testing.assert_close(found.scores, model.network(model.preprocess(images))[:, 2], atol=1e-5, rtol=1e-4)


def test_the_target_decides_how_far_it_goes() -> None:
    model, images = load(vision(), size=16), noise(2)
    near = attention_rollout(model, images, "blocks.0:3@1,1")
    far = attention_rollout(model, images, ["class:1", "class:2"])
    assert near.map.shape == far.map.shape and not torch.allclose(near.map, far.map)
    assert torch.equal(far.map, attention_rollout(model, images, "class:0").map)


def test_pictures_of_another_size() -> None:
    found = attention_rollout(load(vision(), size=16), torch.rand(2, 3, 16, 32), "class:1")
    assert found.map.shape == (2, 4, 8) and found.upsampled().shape == (2, 16, 32)


def test_what_cannot_be_rolled() -> None:
    with pytest.raises(UsageError, match="runs no attention before the target; take grad_cam"):
        attention_rollout(network(), scenes("house"), "class:house")

    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.head = nn.Conv2d(3, 12, 4, 4), nn.Linear(12, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).unflatten(2, (2, 2)).unflatten(4, (2, 2)).permute(0, 2, 4, 3, 5, 1).flatten(0, 2).flatten(1, 2)
            x = F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]
            return self.head(x.unflatten(0, (-1, 4)).mean((1, 2)))

    with pytest.raises(UsageError, match="as windows do"):
        attention_rollout(load(Windows(), size=16), noise(), "class:1")
