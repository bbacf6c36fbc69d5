"""The agent of a parked vehicle in this process, not run yet."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from parkade_agent.agent import Agent
from parkade_agent.clock import WallClock
from parkade_agent.door import Door, Keys, open_channel
from parkade_agent.energy import EnergyMeter
from parkade_agent.journal.journal import Journal
from parkade_agent.own import Lent, Own
from parkade_agent.owner.files import OwnerWord
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.settings import Settings
from parkade_agent.signals.scripted import ScriptedSignals
from support.parked import PARKED
from support.programs import sandbox
from support.vehicles import Certificates


@contextlib.asynccontextmanager
async def parked_agent(folder: Path, port: int, certs: Certificates) -> AsyncIterator[tuple[Agent, Journal]]:
    """The agent of a parked vehicle in this process, which is not run yet."""
    signals, pair = folder / "signals.jsonl", certs.vehicle
    signals.write_text(json.dumps({"signals": PARKED}) + "\n", encoding="utf-8")
    settings = Settings(state_dir=folder / "state", signals_file=signals, cert_file=pair.cert)
    keys = Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), pair.key.read_bytes(), pair.cert.read_bytes())
    journal, source, brake = Journal(settings.journal), ScriptedSignals(signals), SlotBrake()
    meter, clock = EnergyMeter(journal, 10.0), WallClock(journal)
    own = Own(Lent(1, 10.0, link="ethernet"), source, OwnerWord, journal, meter, clock, brake)
    async with open_channel(keys) as channel:
        yield Agent(settings, source, Door(channel), brake, sandbox(), journal, own), journal
    journal.close()
