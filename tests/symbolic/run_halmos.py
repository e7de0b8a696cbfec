"""Halmos 0.3.0 with one defect mended and one thing added.

It takes the bytes given to the SHA-256 precompile for bits and fails. And it does not write to a place in memory that a
condition decides, as where the smaller of two nodes of a tree comes first.
"""

import sys
from typing import Any

import halmos.sevm
from halmos.__main__ import main
from z3 import BitVecRef, BitVecSort, Function, If, is_app_of, is_bv_value, simplify, substitute
from z3.z3consts import Z3_OP_ITE

WORD = 32
"""Bytes."""
mloc = halmos.sevm.Exec.mloc


def function(name: str, *sorts: Any) -> Any:
    if name.startswith("f_sha256_"):
        sorts = (BitVecSort(8 * int(name.removeprefix("f_sha256_"))), *sorts[1:])
    return Function(name, *sorts)


def condition_in(term: Any) -> Any:
    """Return the first `If` of a term, or None."""
    if is_app_of(term, Z3_OP_ITE):
        return term
    return next((found for part in term.children() if (found := condition_in(part)) is not None), None)


def place(ex: Any, check_size: bool = True) -> int:
    """Write a word to both places that a condition decides between: to one the value, to the other what is there.

    The second of them is returned, and is written by the caller.
    """
    term = ex.st.topi().unwrap()
    choice = None
    if ex.current_opcode() == halmos.sevm.OP_MSTORE and isinstance(term, BitVecRef) and not is_bv_value(term):
        choice = condition_in(term)
    if choice is None:
        return int(mloc(ex, check_size))
    condition, *either = choice.children()
    here, there = (simplify(substitute(term, (choice, value))) for value in either)
    if not (is_bv_value(here) and is_bv_value(there)) or abs(here.as_long() - there.as_long()) < WORD:
        return int(mloc(ex, check_size))
    ex.st.popi()
    value, memory = word(ex.st.popi()), ex.st.memory
    kept = {at: word(memory.get_word(at)) for at in (here.as_long(), there.as_long())}
    memory.set_word(there.as_long(), simplify(If(condition, kept[there.as_long()], value)))
    ex.st.push_any(simplify(If(condition, value, kept[here.as_long()])))
    return int(here.as_long())


def word(value: Any) -> Any:
    return halmos.sevm.BV(value, size=8 * WORD).as_z3()


halmos.sevm.Function = function
halmos.sevm.Exec.mloc = place

if __name__ == "__main__":
    sys.exit(main())
