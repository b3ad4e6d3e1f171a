"""Exported functions, by componentize-py."""

import wit_world
from componentize_py_types import Err
from wit_world import Reply


class WitWorld(wit_world.WitWorld):
    def process_data(self, input: str) -> str:
        return input.upper()

    def greet(self, greeting):
        if greeting.times > 3:
            raise Err("too often")
        text = " ".join([f"Hello {greeting.name}"] * greeting.times)
        return Reply(text, len(text))
