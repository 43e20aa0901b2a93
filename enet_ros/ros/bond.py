"""The bond by which Nav2's lifecycle manager notices that a node has ended."""

from contextlib import ExitStack

from rclpy.lifecycle import LifecycleNode

TOPIC = 'bond'           # the lifecycle manager's, relative to the namespace
HEARTBEAT_PERIOD = 0.25  # seconds; many fit into the manager's bond_timeout, 4 s by default
# Seconds without heartbeats of the manager after which this side would end the bond. Like Nav2's
# own nodes it never does: the manager deactivates all nodes when one of them has ended its bond.
HEARTBEAT_TIMEOUT = 86400.0


def open_bond(node: LifecycleNode, deactivation: ExitStack) -> str:
    """Send heartbeats to a lifecycle manager; return what was done, for the diagnostics.

    deactivation: takes the callback that ends the bond.
    """
    try:
        from bondpy.bondpy import Bond
    except ModuleNotFoundError as error:
        return (f'none: {error.name} is not installed; with a lifecycle manager, install bondpy '
                'or set its bond_timeout to 0.0')

    class QuietBond(Bond):
        """A bond whose thread may find that the context was shut down meanwhile."""

        def _publish(self, active: bool) -> None:
            try:
                super()._publish(active)
            except Exception:
                if node.context.ok():
                    raise

    bond = QuietBond(node, TOPIC, node.get_name())
    bond.heartbeat_period, bond.heartbeat_timeout = HEARTBEAT_PERIOD, HEARTBEAT_TIMEOUT
    bond.start()

    def close() -> None:
        bond.shutdown()
        bond.disconnect_timer.cancel()  # started by the shutdown
        bond.thread.join(1.0)
        # bondpy destroys both without the node's knowledge.
        node.destroy_subscription(bond.sub)
        node.destroy_publisher(bond.pub)

    deactivation.callback(close)
    return f'heartbeats every {HEARTBEAT_PERIOD:g} s'
