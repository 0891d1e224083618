"""A simple condition of the book in words a reader of the public sheet understands; nothing for one that is not simple."""

from __future__ import annotations

from engine.definition.expression_compiler import tree
from engine.definition.expression_nodes import And, Call, Compare, Name, Node, Not, OneOf, Or, Ticked
from engine.definition.expressions import TRUE, Constant, Expression
from engine.definition.model import Procedure
from renderers.words import Words, in_language

_ADULT = {"<": "sheet.when_younger", ">=": "sheet.when_older"}


def condition_text(expression: Expression, procedure: Procedure, words: Words, language: str) -> str:
    """`si « Pourquoi… ? » : perdu ou volé`; empty when the condition is always true, or cannot be said simply."""
    if expression == TRUE:
        return ""
    return _Reader(procedure, words, language).said(tree(expression))


class _Reader:
    def __init__(self, procedure: Procedure, words: Words, language: str) -> None:
        self._procedure, self._words, self._language = procedure, words, language

    def said(self, node: Node) -> str:
        match node:
            case And(items):
                return self._joined(items, "sheet.joined_and")
            case Or(items):
                return self._joined(items, "sheet.joined_or")
            case Name(id=name) if node.type.kind == "yes_no":
                return self._about(name, "sheet.when_yes")
            case Not(item=Name(id=name)) if name in self._procedure.fields:
                return self._about(name, "sheet.when_no")
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

    def _joined(self, items: tuple[Node, ...], key: str) -> str:
        parts = [self.said(item) for item in items]
        if not all(parts):
            return ""
        text = parts[0]
        for part in parts[1:]:
            text = self._words.say(key, self._language, {"first": text, "second": part})
        return text

    def _compared(self, left: Node, sign: str, right: Node) -> str:
        match left, right:
            case Name(id=name), Constant(value=str(code)) if sign in ("==", "!="):
                return self._chosen(name, [code], sign == "!=")
            case Call(function="age"), Constant(value=int(years)) if sign in _ADULT:
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
        facts = {"question": in_language(field.label, self._language), "answer": answer}
        return self._words.say("sheet.when_answer_not" if negated else "sheet.when_answer", self._language, facts)

    def _about(self, name: str, key: str) -> str:
        field = self._procedure.fields.get(name)
        if field is None:
            return ""
        return self._words.say(key, self._language, {"question": in_language(field.label, self._language)})
