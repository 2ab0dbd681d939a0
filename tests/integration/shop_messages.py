"""Which message each topic of the shop carries: generated classes for Protobuf, topics alone for Avro."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import yaml

MAP = Path(__file__).resolve().parents[2] / "proto" / "shop" / "subjects.yaml"


def _load() -> tuple[dict, set]:
    protobuf, avro = {}, set()
    for entry in yaml.safe_load(MAP.read_text())["subjects"]:
        topic, schema = entry.get("topic"), entry["schema"]
        if topic is None:
            continue
        if schema.endswith(".avsc"):
            avro.add(topic)
            continue
        place = (MAP.parent / schema).resolve().relative_to(MAP.parents[1])
        module = import_module(".".join(place.with_suffix("").parts) + "_pb2")
        name = "".join(part.capitalize() for part in Path(schema).stem.split("_"))
        protobuf[topic] = getattr(module, name)
    return protobuf, avro


PROTOBUF_TOPICS, AVRO_TOPICS = _load()
