"""A photo, a film and a sound, each as small as browsers take it."""

from __future__ import annotations

import io
import wave
from base64 import b85decode

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cf500f0003860180346d3ad90000000049454e44ae426082"
)
WEBM = b85decode(
    "8b#lupF)O#0YdkI0YdVD1VZzH2ttB{cV%L2LWh9_LWO|>7*l{}0RR910007|5lx$PxlOx^Q>%m(NvUR2tbuM"
    "#yNgq+gcek;Yg4R&lTEveQ>%m@L$-BOtbx=`yNpw-gd9`5Yg4R(0+Z~n0000000000000000000000000000"
    "000000000000000000000000000000$9sb-)m*Rg{SLO?``ghW8akxhVxLuhhuZDm(MhC^s_Z*653RIY2huD"
    "aKO0dvKNLBVuP`kUH=fdN(SfdPhvR$o?7IN+VIfe^ZZ5L3W`0adV&Rk48qRk?uzRl0!<Rl9)!A49fv0RR910"
    "005A=YasA&7q@#0000G0sx%>Di8n=0074bg@uTjgop(K01ORa0RH~_f&g`)rKY3qfdQqS5CQ<50V)sx5C8;+"
    "2!(}+nS_WK0sssRU;zI1r2wF{p_PFE>Hx6;00R&_02lxmSTFPd2mk<ep_rzY?tuZNk+A^)5)kkJ7yuYpFZ2K"
    "i008@e0HDjEtAPQ$01*NJ0}vzt7zx&>2r}lf^FRau{_ee>uYf7)kN(on{-vM&OFzXxb)lH1mhOQ8rIE1#01^"
    "=l02lxmSTFPd2mk>4f$E^gp{9WXF95Lt00R&t02lx;C@=H?1OWczi0I66EOG*W`6>N(c}2^>b)lH1mhOQ8rI"
    "E1#01^=>02lxmSTFPd2mk>4f&sjs$f2i!0+ax;0RRIKAOIKuFeoqd00aR3=!+WDABTtH0e|GD_1)zcF93C+n"
    "5LHQfdQqFu>k-Q5ljFW02o*=^Z*C|0Q-UhFQCYwr-1_l0I>l80}vbl7yvLRFZ2Ke0RHFXy3-$rhvET$=Mw%%"
    "{Q~U(b)lH1mhOQ8rIE1#01^>s02lxmSTFPd2mk>4f&!ErQ@d-8yNk1d0JnzsfdTP>)B"
)
"""Less than a second of VP8, 16 by 16, as Chromium's MediaRecorder writes it."""


def wav() -> bytes:
    """Half a second of silence."""
    found = io.BytesIO()
    with wave.open(found, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8_000)
        file.writeframes(b"\x80" * 4_000)
    return found.getvalue()
