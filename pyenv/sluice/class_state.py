"""Reads yt-dlp's extractors for what they keep beyond one extraction: build-time help, nothing of it runs.

An instance's own attributes go with the instance; what is kept on a class, in a dict or list of a class, in a module
or in a cache of a function is there for every later extraction of the process.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from yt_dlp import extractor

_CHANGING = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
    "sort", "update",
}  # fmt: skip
_CONTAINERS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_MAKERS = {"dict", "list", "set", "bytearray", "collections.defaultdict", "defaultdict", "collections.deque"}
_CACHES = {"cache", "lru_cache"}

Found = dict[str, set[str]]
"""Kind of keeping, to "module:Class.name" (or "module:name")."""


def find(folder: Path | None = None) -> Found:
    """List what is kept, by how: `assigned` to a class, `changed` in place, `cached` by a decorator, `module`'s."""
    folder = folder or Path(extractor.__file__).parent
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts): ast.parse(path.read_bytes())
        for path in sorted(folder.rglob("*.py"))
        if path.stem not in ("lazy_extractors", "_extractors", "extractors")
    }
    classes = {node.name: node for tree in modules.values() for node in tree.body if isinstance(node, ast.ClassDef)}
    found: Found = {"assigned": set(), "changed": set(), "cached": set(), "module": set()}
    for name, tree in modules.items():
        _Module(name, tree, classes, found).read()
    return found


class _Module:
    def __init__(self, name: str, tree: ast.Module, classes: dict[str, ast.ClassDef], found: Found) -> None:
        self._name, self._tree, self._classes, self._found = name, tree, classes, found
        self._globals = _containers(tree)

    def read(self) -> None:
        for node in self._tree.body:
            if isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        self._function(part, node.name)
            elif isinstance(node, ast.FunctionDef):
                self._function(node, None)

    def _note(self, kind: str, name: str) -> None:
        self._found[kind].add(f"{self._name}:{name}")

    def _function(self, function: ast.FunctionDef, owner: str | None) -> None:
        for one in function.decorator_list:
            if ast.unparse(one.func if isinstance(one, ast.Call) else one).split(".")[-1] in _CACHES:
                self._note("cached", f"{owner}.{function.name}" if owner else function.name)
        local = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and _stores(node)}
        local |= {arg.arg for arg in ast.walk(function) if isinstance(arg, ast.arg)}
        # What is assigned when a class is made belongs to that class.
        if function.name == "__init_subclass__":
            return
        aliases = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                for name in node.names:
                    self._note("module", name)
            elif isinstance(node, ast.Attribute) and _stores(node) and not node.attr.endswith("_URL_RE"):
                if holder := self._class(node.value, owner):
                    self._note("assigned", f"{holder}.{node.attr}")
            elif (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "setattr"
                and (holder := self._class(node.args[0], owner))
            ):
                self._note("assigned", f"{holder}.{_text(node.args[1])}")
            for changed in _changed(node):
                self._change(changed, owner, local)
                if isinstance(changed, ast.Name) and changed.id in aliases:
                    self._change(aliases[changed.id], owner, local)

    def _change(self, target: ast.expr, owner: str | None, local: set[str]) -> None:
        while isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name) and target.id in self._globals and target.id not in local:
            self._note("module", target.id)
        if not isinstance(target, ast.Attribute):
            return
        if holder := self._class(target.value, owner):
            self._note("changed", f"{holder}.{target.attr}")
        elif owner and ast.unparse(target.value) == "self" and (home := self._home(owner, target.attr)):
            self._note("changed", f"{home}.{target.attr}")

    def _class(self, node: ast.expr, owner: str | None) -> str | None:
        """Name the class that an expression stands for, if it is one."""
        if isinstance(node, ast.Name) and node.id in self._classes:
            return node.id
        if owner and ast.unparse(node) in ("cls", "type(self)", "self.__class__"):
            return owner
        return None

    def _home(self, owner: str, attribute: str) -> str | None:
        """Name the class whose body holds a container of that name; none if an instance makes its own."""
        queue, seen = [owner], []
        while queue:
            name = queue.pop(0)
            if name in seen or name not in self._classes:
                continue
            seen.append(name)
            queue += [ast.unparse(base).split(".")[-1] for base in self._classes[name].bases]
        for name in seen:
            if attribute in _containers(self._classes[name]):
                own = any(
                    isinstance(node, ast.Attribute)
                    and isinstance(node.ctx, ast.Store)
                    and node.attr == attribute
                    and ast.unparse(node.value) == "self"
                    for one in seen
                    for part in ast.walk(self._classes[one])
                    if isinstance(part, ast.Assign | ast.AnnAssign)
                    for node in ast.walk(part)
                )
                return None if own else name
        return None


def _stores(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _containers(scope: ast.Module | ast.ClassDef) -> set[str]:
    """Name what a body sets to a container that can be changed."""
    return {
        target.id
        for node in scope.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        if isinstance(node.value, _CONTAINERS)
        or (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in _MAKERS)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def _changed(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a node changes in place."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
        yield node.func.value
    elif isinstance(node, ast.AugAssign):
        yield node.target


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "*"
