"""A race's result as a table for the eye, Markdown for the repository and JSON for programs."""

import datetime
import importlib.metadata
import json
import platform

import machine

PACKAGES = {"clickhouse": "chdb-core", "clickhouse-sorted": "chdb-core", "duckdb": "duckdb", "polars": "polars", "datafusion": "datafusion"}
HEAD = ["query", "peer", "CPU ratio", "range", "our CPU s", "peer CPU s", "our wall s", "peer wall s",
        "our peak MB", "(idle)", "peer peak MB", "other cores"]


def today():
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def versions(rivals):
    return {"python": platform.python_version()} | {
        rival: importlib.metadata.version(PACKAGES[rival]) for rival in rivals}


def table(result):
    """The figures, one line per query and peer, then what was expected of them."""
    rows = [HEAD, *table_rows(result)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines + [""] + remarks(result))


def table_rows(result):
    for query in result["queries"]:
        if not query["answers_equal"]:
            verdict = "failed" if "failure" in query else "answers differ"
            yield [query["query"], ", ".join(query["checksums"]), verdict] + [""] * (len(HEAD) - 3)
        for race in query["races"]:
            ours, theirs, (low, high) = race["ours"], race["theirs"], race["cpu_ratio_range"]
            yield [query["query"], race["peer"], f"{race['cpu_ratio']:.2f}", f"{low:.2f} to {high:.2f}",
                   f"{ours['cpu_seconds']:.3f}", f"{theirs['cpu_seconds']:.3f}",
                   f"{ours['wall_seconds']:.3f}", f"{theirs['wall_seconds']:.3f}",
                   f"{ours['peak_mb']:.0f}", f"{ours['idle_mb']:.0f}", f"{theirs['peak_mb']:.0f}",
                   f"{race['other_cores']:.2f}"]


def remarks(result):
    lines = []
    for query in result["queries"]:
        if query["answers_equal"]:
            lines.append(f"{query['query']}: all answers equal (checksum {query['checksums']['tributary']}).")
        elif "failure" in query:
            lines.append(f"{query['query']}: not raced: {query['failure'].strip()}")
        else:
            sums = ", ".join(f"{engine} {checksum}" for engine, checksum in query["checksums"].items())
            lines.append(f"{query['query']}: answers differ, so nothing was timed: {sums}.")
    for target in result["targets"]:
        lines.append(
            f"Target {target['query']}: {'met' if target['met'] else 'missed'}. Against {target['peer']}, the fastest, "
            f"CPU {target['cpu_ratio_found']:.2f} (at most {target['cpu_ratio']}, with a tenth for noise), "
            f"peak memory {target['peak_ratio_found']:.2f}"
            + (f" (at most {target['peak_ratio']})" if "peak_ratio" in target else "")
            + (f", {target['over_idle_mb_found']:.0f} MB above idle (at most {target['over_idle_mb']})"
               if "over_idle_mb" in target else "") + ".")
    if result["forced"]:
        lines.append(f"Not by the method: load average {result['load_at_start']:.2f} at the start, "
                     f"{result['pairs']} pairs. Do not quote these figures.")
    return lines


def markdown(result):
    lake, box = result["lake"], result["machine"]
    known = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return "\n".join([
        f"# Race of {result['date']}, commit {result['commit']}",
        "",
        f"- Server: {result['server']}, commit {result['commit']}",
        f"- Against: {known}",
        f"- Machine: {box['cpu']}, {box['cores']} cores, {box['memory_gb']} GB, Linux {box['kernel']}; "
        f"load average {result['load_at_start']:.2f} at the start",
        f"- Lake: `make_lake.py --events {lake['events']} --users {lake['users']} --seed {lake['seed']} "
        f"--days {lake['days']} --layout {lake['layout']} --compression {lake['compression']}`, "
        f"{lake['bytes'] / 1e6:.0f} MB",
        f"- {result['threads']} threads on {result['threads']} cores each; {result['pairs']} interleaved pairs, "
        "a fresh process and one warm-up on each side; the ratio is the median of ours by the peer's, "
        "other figures are medians",
        "",
        table(result),
        "",
    ])


def write(result, folder):
    """Write the JSON and Markdown files and return their paths; the lake's layout and force are told by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{result['date']}-{machine.slug(result['machine'])}-{result['commit']}"
    stem += f"-{result['lake']['layout']}"
    stem += "-forced" if result["forced"] else ""
    as_json, as_markdown = folder / f"{stem}.json", folder / f"{stem}.md"
    as_json.write_text(json.dumps(result, indent=1) + "\n")
    as_markdown.write_text(markdown(result))
    return as_json, as_markdown
