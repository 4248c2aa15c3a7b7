"""What pydantic is told about a type, said without importing pydantic: that takes as long as all the rest of a start.

The names are pydantic's, and so is what they do: pydantic is imported when it first makes a schema of a type that has one of
them, as only commands that read or write documents do. Not for what belongs to a field and no type (`alias`, `default`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import (
        AfterValidator,
        ConfigDict,
        Field,
        PlainSerializer,
        PlainValidator,
        WithJsonSchema,
        WrapSerializer,
    )
else:
    ConfigDict = dict

    class _Mark:
        """A group of annotated-types (its README, "GroupedMetadata"), which pydantic asks for its members: here one."""

        __is_annotated_types_grouped_metadata__ = True

        def __init__(self, *arguments: object, **named: object) -> None:
            self._arguments, self._named = arguments, named

        def __iter__(self):  # noqa: ANN204 - of whatever pydantic makes
            import pydantic

            yield getattr(pydantic, type(self).__name__)(*self._arguments, **self._named)

    class AfterValidator(_Mark):
        pass

    class Field(_Mark):
        pass

    class PlainSerializer(_Mark):
        pass

    class PlainValidator(_Mark):
        pass

    class WithJsonSchema(_Mark):
        pass

    class WrapSerializer(_Mark):
        pass


__all__ = [
    "AfterValidator",
    "ConfigDict",
    "Field",
    "PlainSerializer",
    "PlainValidator",
    "WithJsonSchema",
    "WrapSerializer",
]
