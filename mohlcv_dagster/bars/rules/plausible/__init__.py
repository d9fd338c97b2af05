"""The rules that look for bad prints: bars that are well formed and yet can hardly be what was traded.

All of them warn and hold nothing back: a warning asks for a look, since the market itself does odd things. They measure
a symbol by its own bars (medians, never a list of symbols). `spikes` looks at prices beside those around them, `wicks`
at highs and lows beside their own bar, `jumps` at the nights between sessions, `stale` at prices that stand still;
`sound` says which bars they look at. Their list is in `catalogue`.
"""
