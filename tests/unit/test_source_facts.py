"""What source files hold is kept, and never trusted for another content."""

import sys

from luss_core import source_facts


def test_what_a_file_holds_is_kept_beside_its_byte_code(tmp_path, monkeypatch):
    """And trusted for the same content alone, whoever wrote what is kept."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "a.py"
    file.write_text("from . import b\nfrom ..c import d\nimport e.f\n")

    def found():
        source_facts.facts.cache_clear()
        return source_facts.facts(file)

    first = found()
    assert first.imports == (".", "..c", "..c.d", ".b", "e.f")
    (kept,) = (tmp_path / "__pycache__").iterdir()
    monkeypatch.setattr(source_facts.ast, "parse", None)
    assert found() == first
    monkeypatch.undo()
    for damaged in (b"", kept.read_bytes()[:-9], b'{"a": 1}', b"[1, 2, 3]", b"3"):
        kept.write_bytes(damaged)
        assert found() == first
    file.write_text("import g\n")
    assert found().imports == ("g",)
    assert found().digest != first.digest
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept.unlink()
    found()
    assert list((tmp_path / "__pycache__").iterdir()) == []
