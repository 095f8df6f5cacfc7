"""Why a network said what it said of one picture: the building blocks of interpretability, as numbers."""

from pellucid.explain.explain import Explanation, explain

__all__ = ["Explanation", "explain"]
