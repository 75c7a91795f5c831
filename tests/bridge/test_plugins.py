"""What the pages of the plugins print: their counts of lines, and their snippets, built and played as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import game_bridge
from game_bridge.conformance.run import run_client

_PLUGINS = Path(game_bridge.__file__).parent / "plugins"
_BUILD_S = 300.0
PATIENT = pytest.mark.timeout(3 * _BUILD_S)  # compilers and clients have a patience of their own
_TOLD = ("bash", "-euo", "pipefail", "-c")
# what the game around a snippet is
_CSHARP = """\
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using NpcBridge;

static class Debug { public static void Log(object told) { Console.WriteLine("ended " + told); } }
class Label { public string text = ""; }
class Shelf { public bool Has(string item) { return item == "sword"; } }

static class Game
{
    static readonly Label subtitle = new Label();
    static readonly Shelf shelf = new Shelf();

    static int Main(string[] arguments)
    {
        Environment.SetEnvironmentVariable("NPC_SERVER_TOKEN", arguments[2]);
        Play(arguments).Wait();
        Console.WriteLine(subtitle.text);
        return 0;
    }

    static async Task Play(string[] arguments)
    {
SNIPPET
    }
}
"""
_CPP = """\
#include "npc/conversation.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

struct Bag { bool add(const std::string& item) { return item == "sword"; } } bag;
std::string subtitles, token;
struct Game {
    int frames = 0;
    bool is_running() { return ++frames < 12000 && subtitles.find("Come in.") == std::string::npos; }
    void draw() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }
} game;

int main(int, char** arguments) {
    token = arguments[3];
SNIPPET
    std::printf("%s\\n", subtitles.c_str());
}
"""


def page(name: str) -> str:
    return (_PLUGINS / name / "README.md").read_text(encoding="utf-8")


def block(text: str, language: str, words: str = "") -> str:
    """The first block of that language with these words."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return next(str(found) for written_in, found in blocks if written_in == language and words in found)


def needs(*programs: str) -> None:
    """Skips the test where one is missing; CI has them all."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def built(*command: str | Path, cwd: Path | None = None) -> None:
    """A warning of the compiler is an error."""
    told = list(map(str, command))
    done = subprocess.run(told, capture_output=True, text=True, timeout=_BUILD_S, cwd=cwd, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_counts_of_lines_are_what_the_printed_commands_count() -> None:
    text = page(".")
    commands = block(text, "", "wc -l").splitlines()
    assert commands[0] == "cd game_bridge/plugins"
    told = ["\n".join(commands[1:])]
    done = subprocess.run([*_TOLD, *told], capture_output=True, text=True, cwd=_PLUGINS, timeout=60, check=True)
    column = "".join(row.split("|")[3] for row in text.splitlines() if row.startswith("| ["))
    printed = [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\d\b", column)]
    assert printed == [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("name", [".", "godot", "unity", "cpp", "unreal"])
def test_each_page_says_that_an_npc_can_give_only_what_the_game_told(name: str) -> None:
    assert "holds" in page(name)


@pytest.mark.engines
@PATIENT
def test_the_snippet_for_unity_hears_the_whole_reply(tmp_path: Path) -> None:
    needs("mcs", "mono")
    snippet = block(page("unity"), "csharp")
    place = "Host = arguments[0], Port = int.Parse(arguments[1])"
    assert snippet.count("Dispatcher = dispatcher ") == 1
    source = _CSHARP.replace("SNIPPET", snippet.replace("Dispatcher = dispatcher ", f"{place} "))
    (tmp_path / "Game.cs").write_text(source, encoding="utf-8")
    core = sorted((_PLUGINS / "unity/Runtime/Core").glob("*.cs"))
    built("mcs", "-langversion:7.2", f"-out:{tmp_path / 'game.exe'}", tmp_path / "Game.cs", *core)
    lines = run_client(["mono", str(tmp_path / "game.exe")], token="s3cret")
    assert lines[0] == "ended stop", lines
    assert lines[1].endswith("Here you are."), lines


@pytest.mark.engines
@PATIENT
def test_the_snippet_in_cpp_plays(tmp_path: Path) -> None:
    needs("g++")
    snippet = block(page("cpp"), "cpp").replace("Any work for me?", "Hello.")
    snippet = snippet.replace(
        "npc::Client client(options);",
        "options.host = arguments[1], options.port = static_cast<std::uint16_t>(std::atoi(arguments[2]));"
        "npc::Client client(options);",
    )
    (tmp_path / "game.cpp").write_text(_CPP.replace("SNIPPET", snippet), encoding="utf-8")
    strict = ("-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{_PLUGINS / 'cpp/include'}")
    built("g++", *strict, tmp_path / "game.cpp", "-o", tmp_path / "game")
    assert run_client([str(tmp_path / "game")], token="s3cret") == ["Good day to you. Come in."]


@pytest.mark.engines
@PATIENT
def test_the_printed_command_builds_the_example_for_dotnet(tmp_path: Path) -> None:
    needs("mcs", "mono")
    shutil.copytree(_PLUGINS / "unity", tmp_path, dirs_exist_ok=True)
    build, _, run = block(page("unity"), "", "mcs").strip().partition(" && ")
    built(*_TOLD, build, cwd=tmp_path)
    assert run == "mono talk.exe HOST PORT TOKEN"
    done = subprocess.run(["mono", "talk.exe"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: talk.exe HOST PORT TOKEN")


@pytest.mark.engines
@PATIENT
def test_the_printed_command_builds_the_example_in_cpp(tmp_path: Path) -> None:
    needs("g++")
    shutil.copytree(_PLUGINS / "cpp", tmp_path, dirs_exist_ok=True)
    found = re.search(r"`(g\+\+ [^`]*talk)`", page("cpp"))
    assert found is not None
    built(*_TOLD, found.group(1), cwd=tmp_path)
    assert (tmp_path / "talk").is_file()
