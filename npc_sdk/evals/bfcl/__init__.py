"""The Berkeley Function-Calling Leaderboard: its single-turn Python rows, asked of an engine and checked by its rules.

Source: ShishirPatil/gorilla, berkeley-function-call-leaderboard. The rows are not part of this package.
"""
