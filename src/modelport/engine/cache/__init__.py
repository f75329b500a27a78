"""The response cache: the same input to the same version is answered from what is stored.

`identity` tells versions apart and `digest` requests; `entry` is how outputs are stored; `near`
keeps them in this process, `far` on a server that workers share, behind a `breaker`, over a
`redis_link`; `flights` lets identical requests that are in the air wait for one run; `cache` puts
them together.
A broken cache costs time, never an answer.
"""
