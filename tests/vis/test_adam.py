import torch

from pellucid.vis.adam import Adam


def test_the_same_bits_as_torchs_class() -> None:
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(3, 4, generator=generator), torch.randn(7, generator=generator)]
    mine, theirs = ([each.clone().requires_grad_() for each in start] for _ in range(2))
    ours, reference = Adam(mine), torch.optim.Adam(theirs, eps=1e-16, fused=True)
    for step in range(6):
        for params in (mine, theirs):
            for place, each in enumerate(params):
                each.grad = None if step == 2 and place == 1 else (each.detach() ** 2 - step) * 1e-9
        reference.param_groups[0]["lr"] = 0.05 / (step + 1)
        ours.step(0.05 / (step + 1))
        reference.step()
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
        assert all(each.grad is None for each in mine)
