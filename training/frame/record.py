"""Records free games from Debian's packages as they run by themselves or under random keys: `python training/frame/record.py`.

In: the packages of GAMES, and xvfb, xdotool, imagemagick, libgl1-mesa-dri. Out: JPEGs in the folder of `recordings.py`, a folder
for each `family__source`. Nothing of it is kept in the project; a game that does not come up is told and left out.
"""

import glob
import io
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image

from recordings import FOLDER

SIZE = (640, 360)
SHOTS = 40
PATIENCE = 150  # seconds until something must be seen
LONGEST = 110  # seconds of play


@dataclass
class Game:
    family: str
    source: str
    command: list
    keys: list  # pressed at random; `hold…`, `move` and `click,x,y` are done to the pointer or held


def _level(pattern):
    return next(iter(sorted(glob.glob(pattern, recursive=True))), "")


def _kart(track, karts):
    command = ["supertuxkart", "--windowed", "--screensize=640x360", f"--track={track}", f"--numkarts={karts}"]
    return Game("supertuxkart", track, command + ["--profile-time=200", "--difficulty=1"], ["move"])


def _doom(part, number):
    """A recorded game that the package brings: monsters, shots, many rooms."""
    command = ["chocolate-doom", "-window", "-geometry", "640x360", "-nosound", "-iwad", f"/usr/share/games/doom/freedoom{part}.wad"]
    return Game("freedoom", f"part{part}demo{number}", command + ["-playdemo", f"demo{number}"], [])


STUNT = "/usr/share/games/supertux2/levels/world1/*.stl"
GAMES = [
    *(_kart(track, 5) for track in ("lighthouse", "hacienda", "cocoa_temple", "snowmountain", "zengarden", "volcano_island")),
    *(_doom(part, number) for part in (1, 2) for number in (1, 2, 3)),
    Game("supertux", "world1", ["supertux2", "--window", "--geometry", "640x360", _level(STUNT)], ["holdRight", "space", "Return"]),
    Game("neverball", "menu", ["neverball"], ["move", "click,320,150", "Return"]),
    Game("lugaru", "menu", ["lugaru", "-w"], ["holdw", "move", "click,110,150", "click,110,230", "Return"]),
    Game("bzflag", "robots", ["bzflag", "-window", "-geometry", "640x360", "-solo", "6"], ["move", "holdUp", "Return", "i"]),
    Game("chromium", "flight", ["chromium-bsu", "-w", "-v", "0"], ["move", "holdspace", "click,320,150"]),
    Game("armagetron", "arena", ["armagetronad", "--window"], ["Return", "Left", "Right"]),
    Game("warzone", "menu", ["warzone2100", "--window", "--resolution=640x360", "--nosound"], ["click,320,120", "move", "Return"]),
    Game("criticalmass", "flight", ["critter"], ["Return", "holdspace", "holdLeft", "holdUp", "holdRight"]),
    Game("teeworlds", "menu", ["teeworlds"], ["move", "click,320,200", "Return"]),
    Game("megaglest", "battle", ["megaglest", "--auto-test=2"], ["move", "Return"]),
]


class Screen:
    """A virtual screen with one program on it."""

    def __init__(self, command, home):
        self.display = f":{random.randint(100, 900)}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.server = subprocess.Popen(["Xvfb", self.display, "-screen", "0", "%dx%dx24" % SIZE], **quiet)
        time.sleep(2)
        path = "/usr/games:" + os.environ["PATH"]
        soft = {"LIBGL_ALWAYS_SOFTWARE": "1", "LP_NUM_THREADS": "1", "SDL_AUDIODRIVER": "dummy"}
        self.env = dict(os.environ, DISPLAY=self.display, HOME=str(home), PATH=path, **soft)
        self.program = subprocess.Popen(command, env=self.env, start_new_session=True, stdin=subprocess.DEVNULL, **quiet)

    def shot(self):
        command = ["import", "-silent", "-window", "root", "-quality", "92", "jpg:-"]
        data = subprocess.run(command, env=self.env, capture_output=True).stdout
        return Image.open(io.BytesIO(data)).convert("RGB") if data else None

    def do(self, *words):
        subprocess.run(["xdotool", *words], env=self.env, stderr=subprocess.DEVNULL)

    def press(self, key):
        if key.startswith("click"):
            self.do("mousemove", *key.split(",")[1:], "click", "1")
        elif key == "move":
            self.do("mousemove_relative", "--", str(random.randint(-90, 90)), str(random.randint(-40, 40)))
        elif key.startswith("hold"):
            self.do("keydown", key[4:])
            time.sleep(0.6)
            self.do("keyup", key[4:])
        else:
            self.do("key", key)

    def end(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.program.poll() is None:
                os.killpg(self.program.pid, how)
                time.sleep(1)
        self.program.wait()
        self.server.kill()
        self.server.wait()


def recorded(game):
    """Pictures kept of one game: those that show something and differ from the one before."""
    folder = FOLDER / f"{game.family}__{game.source}"
    folder.mkdir(parents=True, exist_ok=True)
    home = FOLDER / "home"
    home.mkdir(exist_ok=True)
    screen, kept, last, began = Screen(game.command, home), 0, None, time.time()
    try:
        while screen.program.poll() is None and time.time() - began < PATIENCE:
            time.sleep(3)
            first = screen.shot()
            if first is not None and np.asarray(first).std() > 12:
                break
        else:
            return 0
        began = time.time()
        while kept < SHOTS and screen.program.poll() is None and time.time() - began < LONGEST:
            for key in random.sample(game.keys, min(3, len(game.keys))):
                screen.press(key)
            time.sleep(0.8)
            picture = screen.shot()
            if picture is None:
                continue
            small = np.asarray(picture.resize((64, 36)), np.float32)
            if small.std() > 8 and (last is None or np.abs(small - last).mean() > 1):
                picture.save(folder / f"{kept:03d}.jpg", quality=92)
                kept, last = kept + 1, small
        return kept
    finally:
        screen.end()


def main():
    random.seed(7)
    for game in GAMES:
        if sys.argv[1:] and not {game.family, game.source} & set(sys.argv[1:]):
            continue
        try:
            print(f"{game.family} {game.source}: {recorded(game)} pictures", flush=True)
        except FileNotFoundError as error:
            print(f"{game.family}: {error.filename} is not installed", file=sys.stderr)


if __name__ == "__main__":
    main()
