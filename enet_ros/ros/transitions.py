"""Life cycle transitions that are asked for at the wrong time."""

from lifecycle_msgs.srv import ChangeState


def survive_wrong_transitions(node):
    """Let a managed node answer with failure where a transition is not possible in its state.

    rclpy's own answer, up to Jazzy, is an exception that ends the process (ros2/rclpy#1209).
    """
    service = next(each for each in node.services if each.srv_type is ChangeState)
    change = service.callback

    def answer(request, response):
        try:
            return change(request, response)
        except Exception as error:
            node.get_logger().warning(
                f'transition refused: {" ".join(str(error).split())}')
            response.success = False
            return response

    service.callback = answer
