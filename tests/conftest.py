"""What holds for all tests."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded_torch() -> None:
    """Random numbers that no test asks a generator for are the same in every run and every order."""
    torch.manual_seed(0)
