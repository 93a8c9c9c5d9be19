"""Time compression: the same production files, rewritten so that a factor's worth of time passes in one unit of it.

`factor` is how many seconds of production pass in one second of a drill: at 60, `for: 5m` becomes `for: 5s`.
"""
