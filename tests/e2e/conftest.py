"""What a shell starts in the background ignores Ctrl-C, and so would every command of these tests."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
