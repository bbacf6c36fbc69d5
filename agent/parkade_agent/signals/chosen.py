"""The source of signals that the settings name."""

from parkade_agent.settings import Settings
from parkade_agent.signals.host import HostSignals
from parkade_agent.signals.kuksa import Broker, KuksaSignals
from parkade_agent.signals.scripted import ScriptedSignals
from parkade_agent.signals.source import Joined, SignalSource


def signals_of(settings: Settings) -> SignalSource:
    """The vehicle's script, or its broker; the host tells the computer's temperature where the broker does not."""
    if settings.signals_file is not None:
        return ScriptedSignals(settings.signals_file)
    broker = Broker(
        settings.kuksa_address, settings.kuksa_ca_file, settings.kuksa_server_name, settings.kuksa_token_file
    )
    return Joined(KuksaSignals(broker), HostSignals())
