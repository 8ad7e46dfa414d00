"""Operations that run while the demo does: on every channel, with what people ask of them."""
