# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The one exception that users see."""


class TTEError(Exception):
    """A failure that the user can act on; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
