"""Operations that run while the demo does: on every channel, with what people ask of them."""

from __future__ import annotations

from activity_center.demo.live.stage import Stage

__all__ = ["Stage"]
