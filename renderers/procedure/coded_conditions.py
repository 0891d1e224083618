"""The conditions of a printed form in short words: the number and title of a question, and its answer.

A condition that has no short words is written by `renderers.definition.expressions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Compare, FunctionCall, Name, Node, Not, OneOf, Or, Ticked
from engine.model import Field, Procedure
from engine.model.types import TRUE, Constant, Expression
from renderers.i18n.formats import listed
from renderers.i18n.translations import Translations, in_language

_ADULT: Final = {"<": "blank.if_younger", ">=": "blank.if_older"}


def coded_condition(
    expression: Expression, procedure: Procedure, words: Translations, language: str,
    codes: Mapping[str, str],
) -> str:  # fmt: skip
    """Return a simple condition, `si « 1.2 Pourquoi… ? » : perdu ou volé`. Empty if always true or not simple.

    `codes` are the numbers of questions on the printed form.
    """
    if expression == TRUE:
        return ""
    return _Reader(procedure, words, language, codes).said(tree(expression))


class _Reader:
    """Writes simple conditions, with the numbers of their questions."""

    def __init__(self, procedure: Procedure, words: Translations, language: str, codes: Mapping[str, str]) -> None:
        self._procedure, self._words, self._language, self._codes = procedure, words, language, codes

    def said(self, node: Node) -> str:
        """Return the condition of a node, empty if it cannot be written simply."""
        match node:
            case And(items):
                return self._joined(items, "standard")
            case Or(items):
                return self._joined(items, "or")
            case Name(id=name) if node.type.kind == "yes_no":
                return self._about(name, "blank.if_yes")
            case Not(item=Name(id=name)) if name in self._procedure.fields:
                return self._about(name, "blank.if_no")
            case Not(item=Compare(left=left, sign="<", right=right)):
                return self._compared(left, ">=", right)
            case Compare(left=left, sign=sign, right=right):
                return self._compared(left, sign, right)
            case OneOf(item=Name(id=name)):
                return self._chosen(name, [str(code) for code in node.among], node.negated)
            case Ticked(code=Constant(value=str(code)), choices=Name(id=name)):
                return self._chosen(name, [code], node.negated)
            case _:
                return ""

    def _joined(self, items: tuple[Node, ...], word: str) -> str:
        parts = [self.said(item) for item in items]
        return listed(parts, self._language, word) if all(parts) else ""

    def _compared(self, left: Node, sign: str, right: Node) -> str:
        match left, right:
            case Name(id=name), Constant(value=str(code)) if sign in ("==", "!="):
                return self._chosen(name, [code], sign == "!=")
            case FunctionCall(function="age"), Constant(value=int(years)) if sign in _ADULT:
                return self._words.say(_ADULT[sign], self._language, {"years": str(years)})
            case _:
                return ""

    def _chosen(self, name: str, codes: list[str], negated: bool) -> str:
        field = self._procedure.fields.get(name)
        if field is None:
            return ""
        alternatives = field.evidence.any_of if field.evidence else field.options
        labels = {option.code: in_language(option.label, self._language) for option in alternatives}
        if not all(code in labels for code in codes):
            return ""
        answer = " / ".join(labels[code] for code in codes)
        facts = {"question": self._question(name, field), "answer": answer}
        return self._words.say("blank.if_answer_not" if negated else "blank.if_answer", self._language, facts)

    def _about(self, name: str, key: str) -> str:
        field = self._procedure.fields.get(name)
        if field is None:
            return ""
        return self._words.say(key, self._language, {"question": self._question(name, field)})

    def _question(self, name: str, field: Field) -> str:
        return " ".join(filter(None, (self._codes.get(name), in_language(field.label, self._language))))
