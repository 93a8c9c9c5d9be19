"""What probes do to a real process: experiments that leave episodes behind, and questions that episodes answer.

An experiment does something to a process (nothing, load, a dependency gone, a hang, SIGTERM), asks its probes as the
kubelet does, and writes down what it saw; it concludes nothing. A question reads episodes and touches nothing.
"""
