"""Any expression of a definition in words, in place of `age(date_naissance) < 18`.

The words follow the whole tree and its logic: `not` stays "n’est pas", because an empty answer makes a condition
false. The public page uses the shorter `condition_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from engine.core.countries import COUNTRIES
from engine.core.values import Span, Text
from engine.language.expressions.compiler import age_limit, tree
from engine.language.expressions.nodes import (
    Ambient,
    And,
    Arithmetic,
    Compare,
    FunctionCall,
    Happened,
    If,
    Lookup,
    Name,
    Negative,
    Node,
    Not,
    OneOf,
    Or,
    Over,
    Ticked,
)
from engine.model import Field, Option, Procedure
from engine.model.directory import Directory
from engine.model.types import TRUE, Constant, Expression, Value
from renderers.html.templates import span_text
from renderers.i18n.formats import listed
from renderers.i18n.translations import Translations, in_language, quoted

LONGEST: Final = 800  # characters; a longer text is replaced by the expression as written
_MOST_LISTED: Final = 20  # values of a list, where a printed form names them
_SIGNS: Final = {"==": "is", "!=": "is_not", "<": "below", "<=": "most", ">": "above", ">=": "least"}
_SPANS: Final = {"days": ("day", False), "weeks": ("week", False), "working_days": ("day", True),
                 "months": ("month", False), "years": ("year", False)}  # fmt: skip
_DATES: Final = frozenset({"date", "partial_date"})


class ExpressionWriter:
    """Writes the expressions of one procedure in one language."""

    def __init__(
        self, procedure: Procedure, directory: Directory, words: Translations, language: str, today: str = "today",
        codes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """`today` is the key of the word for the present day. A document uses the day of its issue.

        `codes` are the numbers of questions on a printed form. A computed answer is then written as its expression.
        """
        self._procedure, self._directory, self._words, self._language = procedure, directory, words, language
        self._today, self._codes = today, codes
        self.columns = _columns(procedure)
        self._fields = {**self.columns, **procedure.fields}
        self._pages = _pages_of_twins(procedure, language)
        self._always_answered = _always_answered(procedure)

    def condition(self, expression: Expression) -> str:
        """Return a condition, `« Sexe » est « Féminin » et …`. Empty if it is always true."""
        if expression == TRUE:
            return ""
        return self._short(self._holds(tree(expression)), expression)

    def value(self, expression: Expression) -> str:
        """Return a value in words: `3 mois après aujourd’hui`, `30 000 FCFA`."""
        return self._short(self._worth(tree(expression)), expression)

    def value_for(self, field: Field, expression: Expression) -> str:
        """Return a value as an answer to that question, with the label of a code."""
        return self._short(self._coded(Name(field.id, field.value_type), tree(expression)), expression)

    def factor(self, expression: Expression) -> str:
        """Return a value as a factor of a product, a sum in brackets."""
        return self._short(self._term(tree(expression)), expression)

    def node(self, node: Node) -> str:
        """Return the value of one node of an expression in words."""
        return self._worth(node)

    def table(self, table: str) -> str:
        """Return the number of a table among those of the procedure, or the name of an unknown one."""
        return str([*self._procedure.tables].index(table) + 1) if table in self._procedure.tables else table

    def _short(self, said: str, expression: Expression) -> str:
        return said if len(said) <= LONGEST else expression.text

    def _say(self, key: str, /, **facts: str) -> str:
        return self._words.say(f"expr.{key}", self._language, facts)

    # -- what holds ----------------------------------------------------------------------------------------------------

    def _holds(self, node: Node, negated: bool = False, inside: bool = False) -> str:
        match node:
            case Constant(value=bool(value)):
                return self._say("always" if value is not negated else "never")
            case Not(item=item):
                return self._holds(item, not negated, inside)
            case And(items) | Or(items):
                return self._joined(node, items, negated, inside)
            case Compare(left=left, sign=sign, right=right):
                return self._compared(left, sign, right, negated)
            case OneOf(item=item, among=among):
                choices = [self._code(item, value) for value in among]
                return self._chosen(self._worth(item), choices, node.negated is not negated)
            case Ticked(code=code, choices=choices):
                key = "unticked" if node.negated is not negated else "ticked"
                return self._say(key, value=self._coded(choices, code), of=self._worth(choices))
            case Happened(function="done", id=task):
                return self._say("undone" if negated else "done", task=self._named(task))
            case Over(function="any" | "all"):
                return self._over(node, negated)
            case FunctionCall(function="answered", arguments=(item,)):
                return self._say("unanswered" if negated else "answered", of=self._worth(item))
            case FunctionCall(function="in_list", arguments=(item, Constant(value=listed))):
                key = "not_in_list" if negated else "in_list"
                return self._say(key, of=self._worth(item), list=self._list(str(listed)))
            case If(condition=condition, then=then, otherwise=otherwise):
                said = self._say("if", condition=self._holds(condition), then=self._holds(then),
                                 otherwise=self._holds(otherwise))  # fmt: skip
                return self._say("not_true", of=said) if negated else said
            case Name(id=name):
                return self._yes(name, negated)
            case _:
                return self._say("is_no" if negated else "is_yes", of=self._worth(node))

    def _joined(self, node: Node, items: tuple[Node, ...], negated: bool, inside: bool) -> str:
        """Join conditions. A negated `and` stays whole: its parts cannot be negated one by one if some are empty."""
        parts = [self._holds(item, inside=True) for item in items]
        said = listed(parts, self._language, "standard" if isinstance(node, And) else "or")
        if negated:
            return self._say("not_true", of=said)
        return f"({said})" if inside else said

    def _yes(self, name: str, negated: bool) -> str:
        field = self._fields.get(name)
        if field is not None and field.evidence is not None:
            return self._say("not_provided" if negated else "provided", of=self._named(name))
        no = "is_plain_no" if name in self._always_answered else "is_no"
        return self._say(no if negated else "is_yes", of=self._named(name))

    def _compared(self, left: Node, sign: str, right: Node, negated: bool) -> str:
        key = _SIGNS[sign]
        if left.type.kind in _DATES and key in ("below", "most", "above", "least"):
            key += "_date"
        return self._say(f"not_{key}" if negated else key, left=self._worth(left), right=self._coded(left, right))

    def _chosen(self, what: str, choices: list[str], negated: bool) -> str:
        return self._say("none_of" if negated else "one_of", left=what, right=listed(choices, self._language, "or"))

    # -- what it is worth ----------------------------------------------------------------------------------------------

    def _worth(self, node: Node) -> str:
        match node:
            case Constant(value=value):
                return self._constant(value, node.type.kind)
            case Name(id=name):
                return self._named(name)
            case Ambient(id=name):
                return self._say(f"ambient.{self._today if name == 'today' else name}")
            case Arithmetic(left=left, operator=operator, right=right):
                return self._reckoned(left, operator, right)
            case Negative(item=item):
                return f"−{self._worth(item)}"
            case If(condition=condition, then=then, otherwise=otherwise):
                return self._say("if", condition=self._holds(condition), then=self._worth(then),
                                 otherwise=self._worth(otherwise))  # fmt: skip
            case FunctionCall(function=function, arguments=arguments):
                return self._called(function, arguments)
            case Lookup(table=table, arguments=arguments):
                keys = ", ".join(self._worth(one) for one in arguments)
                return self._say("lookup", table=self.table(table), keys=keys)
            case Over():
                return self._over(node, False)
            case Happened(function=function, id=name):
                return self._say(f"times_{function}", task=self._named(name))
            case _:
                return self._holds(node)

    def _reckoned(self, left: Node, operator: str, right: Node) -> str:
        if right.type.kind == "span" and operator in "+-":
            return self._say("after" if operator == "+" else "before", left=self._worth(left), right=self._worth(right))
        sign = {"+": "+", "-": "−", "*": "×", "/": "÷"}[operator]
        return f"{self._term(left)} {sign} {self._term(right)}"

    def _term(self, node: Node) -> str:
        said = self._worth(node)
        return f"({said})" if isinstance(node, (Arithmetic, If)) else said

    def _called(self, function: str, arguments: tuple[Node, ...]) -> str:
        if function in _SPANS:
            unit, working = _SPANS[function]
            (count,) = arguments
            if isinstance(count, Constant) and isinstance(count.value, int):
                return span_text(self._words, Span(count.value, unit, working), self._language)
            return self._say(f"spans.{function}", count=self._worth(count))
        if function == "date" and all(isinstance(one, Constant) for one in arguments):
            numbers = [one.value for one in arguments if isinstance(one, Constant)]
            try:
                return self._words.plain_day(date(*(int(str(one)) for one in numbers)), self._language)
            except ValueError:
                return "-".join(map(str, numbers))
        said = [self._worth(one) for one in arguments]
        if function in ("min", "max"):
            return self._say(function, of=listed(said, self._language))
        key = f"{function}_at" if function == "age" and len(said) > 1 else function
        names = dict(zip(("first", "second", "third"), said, strict=False))
        return self._say(f"call.{key}", **names)

    def _over(self, node: Over, negated: bool) -> str:
        key = f"rows.{node.function}"
        if node.body is None:
            return self._say(f"{key}_rows", rows=self._worth(node.rows))
        body = self._holds(node.body) if node.function in ("any", "all", "count") else self._worth(node.body)
        if negated and node.function == "any":
            return self._say("rows.none", rows=self._worth(node.rows), body=body)
        said = self._say(key, rows=self._worth(node.rows), body=body)
        return self._say("not_true", of=said) if negated else said

    # -- names and values ----------------------------------------------------------------------------------------------

    def _named(self, name: str) -> str:
        """Return the label of a name, between quotation marks."""
        detail = name.removesuffix("_other")
        if name not in self._fields and detail in self._fields:
            return self._say("detail_of", of=self._named(detail))
        thing = self._fields.get(name) or self._procedure.tasks.get(name) or self._procedure.things.get(name)
        label = getattr(thing, "label", None) or getattr(thing, "title", None)
        if not isinstance(label, Text) or not label:
            return quoted(name, self._language)
        if name in self._codes:
            return quoted(f"{self._codes[name]} {in_language(label, self._language)}", self._language)
        page = self._pages.get(name)
        return quoted(in_language(label, self._language), self._language) + (f" ({page})" if page else "")

    def _coded(self, beside: Node, node: Node) -> str:
        """Return the right side of a comparison, with the label of a code."""
        if isinstance(node, Constant) and isinstance(node.value, str):
            return self._code(beside, node.value)
        if isinstance(node, Constant) and isinstance(beside, FunctionCall) and beside.function == "age":
            return span_text(self._words, Span(int(str(node.value)), "year"), self._language)
        return self._worth(node)

    def _code(self, beside: Node, value: Value) -> str:
        if not isinstance(value, str):
            return self._constant(value, beside.type.kind)
        if isinstance(beside, Name):
            return quoted(self._label_of(beside.id, value), self._language)
        if isinstance(beside, Ambient) and self._words.has(f"expr.channels.{value}"):
            return self._say(f"channels.{value}")
        return self._constant(value, beside.type.kind)

    def _label_of(self, name: str, code: str) -> str:
        field = self._fields.get(name)
        label = next((one.label for one in _options(field) if one.code == code), None) if field else None
        if label is not None:
            return in_language(label, self._language)
        if field is not None and field.type == "country" and code in COUNTRIES:
            return in_language(COUNTRIES[code], self._language)
        office = self._directory.offices.get(code)
        if office is not None:
            return in_language(office.label, self._language)
        key = f"expr.look_up.{code}"
        if name in self._procedure.tasks and self._words.has(key):
            return self._words.say(key, self._language, {})
        return self._say("other") if code == "other" else code

    def _constant(self, value: Value, kind: str) -> str:
        if value is None:
            return self._say("nothing")
        if isinstance(value, bool):
            return self._words.yes_no(value, self._language)
        if isinstance(value, Span):
            return span_text(self._words, value, self._language)
        if isinstance(value, date):
            return self._words.plain_day(value, self._language)
        if isinstance(value, int) and kind == "money":
            return self._words.money(value, self._language)
        if isinstance(value, int | Decimal):
            return self._words.number(value, self._language)
        if isinstance(value, tuple):
            return listed([str(one) for one in value], self._language)
        office = self._directory.offices.get(value)
        return in_language(office.label, self._language) if office else quoted(value, self._language)

    def _list(self, list_id: str) -> str:
        found = self._procedure.lists.get(list_id)
        if found is None:
            return list_id
        title = in_language(found.title, self._language)
        if not self._codes or len(found.items) > _MOST_LISTED:
            return title
        return f"{title} ({', '.join(in_language(one.label, self._language) for one in found.items)})"


def _options(field: Field) -> tuple[Option, ...]:
    return field.evidence.any_of if field.evidence else field.options


def _columns(procedure: Procedure) -> Mapping[str, Field]:
    """Return the questions inside rows or asked for each row or service. Expressions of a row use their bare name."""
    pages = [page for form in procedure.forms() for page in (*form.pages, form.asked) if page is not None]
    found = {one.id: one for page in pages for one in page.fields}
    left = [*found.values(), *procedure.fields.values()]
    while left:
        field = left.pop()
        for column in field.rows:
            found.setdefault(column.id, column)
            left.append(column)
    return found


def _always_answered(procedure: Procedure) -> frozenset[str]:
    """Return the questions shown and required wherever their form is filled. Any answer but yes is a no there."""
    pages = [page for form in (procedure.form, *procedure.forms()) for page in form.pages if page.when == TRUE]
    asked = [field for page in pages for field in page.fields] + [one.field for one in procedure.eligibility]
    return frozenset(
        field.id for field in asked if field.when == TRUE and field.required == TRUE and field.value is None
    )


def _pages_of_twins(procedure: Procedure, language: str) -> dict[str, str]:
    """Return the page of each question whose label another question shares, such as two dates of birth."""
    asked = [(field, page) for page in procedure.form.pages for field in page.fields]
    labels = [in_language(field.label, language) for field, _ in asked]
    return {
        field.id: in_language(page.title, language)
        for field, page in asked
        if labels.count(in_language(field.label, language)) > 1
    }


def condition_text(expression: Expression, words: Translations, language: str) -> str:
    """Return for whom a condition holds, in the words of its file. Without them only an age is said, else empty."""
    if expression.said is not None:
        return in_language(expression.said, language)
    limit = age_limit(expression)
    if limit is None:
        return ""
    sign, years = limit
    key = "age_child" if (sign, years) == ("<", 18) else "age_adult" if years == 18 else f"age_{_AGES[sign]}"
    return words.say(f"sheet.{key}", language, {"years": str(years)})


_AGES: Final = {"<": "under", ">=": "from"}
