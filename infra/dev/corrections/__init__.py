"""Where moto 5.2.5 answers otherwise than AWS documents, and what to answer instead.

Each correction names the fault beside it. The product is written against AWS; what only the emulator does is put right here.
"""

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2 import ec2_backends

from .calls import STEERING, correct_accounts, correct_calls
from .describe import correct_describe_instances
from .launch import correct_launch, correct_regions
from .metadata import correct_metadata_defaults, correct_metadata_options
from .metrics import correct_metrics


def apply():
    """Puts every correction in place. Called once, before the first request."""
    correct_calls()
    correct_accounts()
    correct_metadata_options()
    correct_metadata_defaults()
    correct_regions()
    correct_launch()
    correct_describe_instances()
    correct_metrics()


def forget_everything():
    STEERING.clear()
    for backends in (ec2_backends, cloudwatch_backends):
        for account in list(backends.values()):
            for backend in list(account.values()):
                backend.reset()
