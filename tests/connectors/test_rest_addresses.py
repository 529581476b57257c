"""A REST source is no way into the network: whatever its address is written like, and whatever a name server says."""

import pytest

from connectors._addresses import address, public, reachable
from core.errors import AtlasError, Refused, SourceUnavailable

FORBIDDEN = """
http://127.0.0.1/ http://127.1/ http://127.0.1/ http://2130706433/ http://0x7f000001/ http://0x7f.0.0.1/ http://0x7f.1/
http://0177.0.0.1/ http://017700000001/ http://127.0.0.01/ http://127.0.0.1./ http://127.000.000.001/ http://0/
http://0.0.0.0/ http://localhost/ http://LOCALHOST/ http://localhost./ http://10.0.0.1/ http://172.16.3.4/
http://192.168.1.1/ http://169.254.169.254/latest/ http://2852039166/ http://100.64.0.1/ http://192.0.0.170/
http://198.18.0.1/ http://224.0.0.1/ http://240.0.0.1/ http://255.255.255.255/ http://[::]/ http://[::1]/
http://[0:0:0:0:0:0:0:1]/ http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[::127.0.0.1]/
http://[64:ff9b::7f00:1]/ http://[64:ff9b:1::a00:1]/ http://[2002:7f00:1::]/ http://[2001:0:7f00:1::]/
http://[fe80::1]/ http://[fe80::1%25eth0]/ http://[fc00::1]/ http://[fd00:ec2::254]/ http://[ff02::1]/
http://[fec0::1]/ http://[2001:db8::1]/ http://[::ffff:0:127.0.0.1]/ http://①②⑦.⓪.⓪.①/ http://127。0。0。1/
http://127.0.0.1%2f@example.com/ http://example.com@127.0.0.1/ http://user:pass@example.com/ http://@127.0.0.1/
http://127.0.0.1\\@example.com/ http://127.0.0.1#@example.com/ http://127.0.0.1?@example.com/ http://%31%32%37.0.0.1/
http://127.0.0.1:0/ http://127.0.0.1:99999/ http://127.0.0.1:80:80/ http:///127.0.0.1/ http:127.0.0.1 //127.0.0.1/
file:///etc/passwd ftp://127.0.0.1/ gopher://127.0.0.1:6379/ unix:///run/docker.sock http://exa_mple.0x7f/ http://[::1/
http://[127.0.0.1]/ http://[v1.x]/ http://.localhost/ http://localhost../ http://example..com/
""".split()


def connect(url: str) -> None:
    found = address(url)
    reachable(found.host, found.port, ())


@pytest.mark.parametrize("url", [*FORBIDDEN, "http://127.0.0.1\t/", "http://exam\nple.com/", " http://127.0.0.1/"])
def test_an_address_inside_the_network_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises((ValueError, AtlasError)) as refused:
        connect(url)
    assert isinstance(refused.value, ValueError | Refused), refused.value
    assert "pass" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://api.example.dk", "api.example.dk", 443, "/"),
        ("HTTP://API.Example.dk:8080/a/b?c=d%20e#part", "api.example.dk", 8080, "/a/b?c=d%20e"),
        ("https://xn--bger-gra.dk/x@y", "xn--bger-gra.dk", 443, "/x@y"),
        ("https://93.184.215.14/", "93.184.215.14", 443, "/"),
        ("https://[2606:2800:21F::1]:8443/", "2606:2800:21f::1", 8443, "/"),
        ("https://3com.example/?x=1", "3com.example", 443, "/?x=1"),
    ],
)
def test_a_good_address_is_taken_apart(url: str, host: str, port: int, target: str) -> None:
    found = address(url)
    assert (found.host, found.port, found.target) == (host, port, target)


@pytest.mark.parametrize("ip", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "172.32.0.1", "100.128.0.1"])
def test_public_addresses_are_public(ip: str) -> None:
    assert public(ip)


def test_one_private_address_of_a_name_is_one_too_many() -> None:
    with pytest.raises(Refused) as refused:
        reachable("both.example", 443, (), lambda *_: ["93.184.215.14", "10.0.0.1"])
    assert refused.value.message == (
        "`both.example` is not on the public internet, and sources inside a network are not read."
    )
    assert "ATLAS_REST_ALLOW_PRIVATE=both.example" in (refused.value.hint or "")
    assert reachable("good.example", 443, (), lambda *_: ["93.184.215.14", "8.8.8.8"]) == ["93.184.215.14", "8.8.8.8"]


def test_what_the_setting_allows_is_reached_and_nothing_beside_it() -> None:
    inside = {
        "crm.internal": ["10.1.2.3"],
        "other.internal": ["10.9.0.1"],
        "six": ["fd00::7"],
        "map": ["::ffff:10.1.2.3"],
    }

    def look_up(name: str, _: int) -> list[str]:
        return inside[name]

    assert reachable("crm.internal", 443, ("crm.internal",), look_up) == ["10.1.2.3"]
    assert reachable("crm.internal", 443, ("10.1.0.0/16",), look_up) == ["10.1.2.3"]
    assert reachable("six", 443, ("fd00::/8",), look_up) == ["fd00::7"]
    for name, private in (("other.internal", ("10.1.0.0/16", "crm.internal")), ("map", ("10.1.0.0/16",))):
        with pytest.raises(Refused):
            reachable(name, 443, private, look_up)


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(SourceUnavailable) as error:
        reachable("nowhere.invalid", 443, ())
    assert error.value.message == "There is no host `nowhere.invalid`."
