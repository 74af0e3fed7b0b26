"""Renders simulated worlds and small games that PyPI packages hold, for `camera`: `python training/frame/render.py`.

In: the packages of `training/frame/requirements-render.txt`. Out: JPEGs in the folder of `recordings.py`, a folder for each
`family__source`. Nothing of it is kept in the project; a world whose package is missing is told and left out.
"""

import math
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from recordings import FOLDER

ATARI = """Asteroids Assault BankHeist BeamRider Boxing Bowling Breakout Centipede ChopperCommand CrazyClimber DemonAttack
DoubleDunk Enduro FishingDerby Freeway Frostbite Gopher Hero Jamesbond Kangaroo KungFuMaster MontezumaRevenge MsPacman
NameThisGame Pitfall Pong PrivateEye Qbert Riverraid Robotank Seaquest Skiing SpaceInvaders Tennis Tutankham UpNDown
VideoPinball WizardOfWor YarsRevenge Zaxxon""".split()
PLANE = "CarRacing-v3 BipedalWalker-v3 LunarLander-v3 CartPole-v1 Acrobot-v1 MountainCar-v0 Taxi-v4 CliffWalking-v1".split()
ROADS = "highway-v0 roundabout-v0 intersection-v1 parking-v0 racetrack-v0".split()
GRIDS = "FourRooms LavaCrossingS9N2 KeyCorridorS3R3 ObstructedMaze-2Dlhb".split()
BODIES = "humanoid cheetah walker dog quadruped fish hopper stacker humanoid_CMU manipulator".split()
SCENES = {
    "humanoid": ["plane.urdf", "humanoid/humanoid.urdf"],
    "robots": ["plane.urdf", "r2d2.urdf", "kuka_iiwa/model.urdf", "husky/husky.urdf"],
    "race": ["racecar/racecar.urdf"],
    "table": ["plane.urdf", "table/table.urdf", "teddy_vhacd.urdf", "duck_vhacd.urdf", "soccerball.urdf"],
    "samurai": ["samurai.urdf", "humanoid/humanoid.urdf", "r2d2.urdf"],
    "stadium": ["racecar/racecar.urdf", "laikago/laikago.urdf"],
}
LONGEST = 40  # seconds of one example of pygame
ARCADE = "aliens stars chimp testsprite moveit liquid vgrade scroll fonty eventlist mask sprite_texture".split()


def save(family, source, number, pixels):
    """One picture; small ones are enlarged, pixel by pixel where the game is made of pixels."""
    folder = FOLDER / f"{family}__{source}"
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3])).convert("RGB")
    times = max(1, round(400 / max(picture.size)))
    if times > 1:
        how = Image.NEAREST if family in ("atari", "grid") else Image.BICUBIC
        picture = picture.resize((picture.width * times, picture.height * times), how)
    picture.thumbnail((640, 640))
    picture.save(folder / f"{number:03d}.jpg", quality=90)


def played(family, source, world, count, every, start=20):
    """Pictures of a Gymnasium world played at random."""
    world.reset(seed=0)
    world.action_space.seed(0)
    step = kept = 0
    while kept < count:
        if step % 4 == 0:
            action = world.action_space.sample()
        over = world.step(action)[2:4]
        step += 1
        if step > start and step % every == 0:
            save(family, source, kept, world.render())
            kept += 1
        if any(over):
            world.reset(seed=step)


def atari():
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    for name in ATARI:
        played("atari", name, gymnasium.make(f"ALE/{name}-v5", render_mode="rgb_array"), 6, 30)


def plane():
    import gymnasium
    import highway_env  # noqa: F401, registers its worlds

    for name in PLANE:
        start = 60 if "Car" in name else 1
        played("gym2d", name, gymnasium.make(name, render_mode="rgb_array"), 20, 15 if "CarR" in name else 5, start)
    for name in ROADS:
        played("gym2d", name, gymnasium.make(name, render_mode="rgb_array"), 10, 2, 1)


def grid():
    import crafter
    import gymnasium
    import minigrid  # noqa: F401, registers its worlds

    for name in GRIDS:
        played("grid", name, gymnasium.make(f"MiniGrid-{name}-v0", render_mode="rgb_array"), 8, 5, 1)
    world = crafter.Env(size=(360, 360))
    world.reset()
    for step in range(800):
        over = world.step(np.random.default_rng(step).integers(17))[2]
        if step % 25 == 0:
            save("grid", "crafter", step // 25, world.render((360, 360)))
        if over:
            world.reset()


def pybullet():
    import pybullet as world
    import pybullet_data

    world.connect(world.DIRECT)
    world.setAdditionalSearchPath(pybullet_data.getDataPath())
    rng = np.random.default_rng(1)
    for name, models in SCENES.items():
        world.resetSimulation()
        world.setGravity(0, 0, -9.8)
        if name in ("race", "stadium"):
            world.loadSDF("stadium.sdf")
        high = 0
        for model in models:
            ground = "plane" in model or "samurai" in model
            for _ in range(1 if ground else 3):
                place = [0, 0, 0] if ground else [*rng.uniform(-2, 2, 2), 1 + 0.3 * high]
                world.loadURDF(model, place, globalScaling=0.35 if "humanoid" in model else 1)
                high += 1
        for shot in range(24):
            for _ in range(10):
                world.stepSimulation()
            turn, away = shot * 0.2, rng.uniform(3, 5)
            eye = [away * math.cos(turn), away * math.sin(turn), rng.uniform(0.8, 2.5)]
            view = world.computeViewMatrix(eye, [0, 0, 0.7], [0, 0, 1])
            lens = world.computeProjectionMatrixFOV(60, 16 / 9, 0.1, 100)
            seen = world.getCameraImage(512, 288, view, lens, renderer=world.ER_TINY_RENDERER, shadow=1, lightDirection=[2, 1, 3])
            save("pybullet", name, shot, np.reshape(seen[2], (288, 512, 4)).astype(np.uint8))


def mujoco():
    os.environ["MUJOCO_GL"] = "osmesa"  # Debian's libosmesa6
    import importlib.util

    import mujoco as world

    models = Path(importlib.util.find_spec("dm_control").submodule_search_locations[0]) / "suite"
    for name in BODIES:
        model = world.MjModel.from_xml_path(str(models / f"{name}.xml"))
        data, rng = world.MjData(model), np.random.default_rng(1)
        renderer = world.Renderer(model, 288, 512)
        for shot in range(14):
            for _ in range(60):
                data.ctrl[:] = rng.uniform(-1, 1, model.nu)
                world.mj_step(model, data)
            camera = world.MjvCamera()
            world.mjv_defaultFreeCamera(model, camera)
            camera.azimuth, camera.elevation = rng.uniform(0, 360), rng.uniform(-40, -5)
            camera.distance *= rng.uniform(0.5, 1)
            renderer.update_scene(data, camera if shot % 2 or not model.ncam else shot // 2 % model.ncam)
            save("mujoco", name, shot, renderer.render())


def arcade():
    """The examples of pygame, without a window: each 20th picture or so that they would show."""
    os.environ |= {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    import importlib

    import pygame

    state = {}

    def shown(*_):
        surface = pygame.display.get_surface()
        state["seen"] += 1
        if state["seen"] % 8 == 0 and surface:
            save("pygame", state["name"], state["kept"], pygame.surfarray.array3d(surface).swapaxes(0, 1))
            state["kept"] += 1
        for key in (pygame.K_RIGHT, pygame.K_SPACE, pygame.K_LEFT, pygame.K_RETURN):
            if random.random() < 0.2:
                for kind in (pygame.KEYDOWN, pygame.KEYUP):
                    pygame.event.post(pygame.event.Event(kind, key=key, mod=0, unicode=" "))
        if state["kept"] >= 16:
            raise KeyboardInterrupt

    random.seed(1)
    pygame.display.flip = pygame.display.update = shown
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # ends an example that shows nothing more
    for name in ARCADE:
        state.update(seen=0, kept=0, name=name)
        signal.alarm(LONGEST)
        try:
            importlib.import_module(f"pygame.examples.{name}").main()
        except (KeyboardInterrupt, SystemExit):
            signal.alarm(0)


def main():
    for make in (atari, plane, grid, pybullet, mujoco, arcade):
        if sys.argv[1:] and make.__name__ not in sys.argv[1:]:
            continue
        try:
            make()
        except Exception as error:
            print(f"{make.__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
