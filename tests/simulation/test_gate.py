"""`dexsim gate` from end to end, on a suite of one short scenario."""

import subprocess
import sys
from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def gate(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    code = "from sim.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "gate",
        str(folder / "suites" / "s.yaml"),
        "--out",
        str(folder / "out"),
    ]
    return subprocess.run([*command, "--jobs", "1", *more], capture_output=True, text=True, check=False)


def test_a_gate_accepts_goes_on_and_closes(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    smoke = (SCENARIOS / "smoke.yaml").read_text()
    (tmp_path / "smoke.yaml").write_text(smoke)
    entry = "{scenario: smoke, lasts: 15 s, thresholds: [fills >= 1]}"
    (tmp_path / "suites" / "s.yaml").write_text(
        f"suite: s\nprofiles: {{pr: {{seeds: 1}}}}\nscenarios: [{entry}]\n"
    )

    accepted = gate(tmp_path, "--accept")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert "1 are new" in accepted.stdout
    assert (tmp_path / "suites" / "baselines" / "s.json").is_file()

    again = gate(tmp_path, "--junit", str(tmp_path / "j.xml"))
    assert again.returncode == 0
    assert "1 of 1" not in again.stderr, "what is done is not played again"
    assert 'failures="0"' in (tmp_path / "j.xml").read_text()

    # another fee: no invariant breaks, yet nothing is as it was
    (tmp_path / "smoke.yaml").write_text(
        smoke.replace("lot: 0.0001 BTC}", "lot: 0.0001 BTC, fee: 40 bps}", 1)
    )
    closed = gate(tmp_path)
    assert closed.returncode == 4
    assert "the business differs" in closed.stdout
    assert "--seed 1000" in closed.stderr
    assert "gate.html" in closed.stderr
    assert "<failure" in (tmp_path / "out" / "junit.xml").read_text()
