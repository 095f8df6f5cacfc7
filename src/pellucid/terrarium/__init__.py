"""The terrarium: a drawn world whose every fact is known, and the small networks that learned it.

The world needs no torch; the networks are in `pellucid.terrarium.network`.

>>> from pellucid.terrarium import CLASSES, draw
>>> draw(0).label == CLASSES[0]
True
"""

from pellucid.terrarium.world import CLASSES, PARTS, SIZE, Scene, draw

__all__ = ["CLASSES", "PARTS", "SIZE", "Scene", "draw"]
