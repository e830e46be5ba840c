"""Ends uploads in parts that were begun and never completed: what a hub leaves in a bucket that is killed in the middle of one.

Such parts are in no list of objects, are paid for, and would outlive an erasure. obstore cannot list them, so this speaks S3's own two
requests: ListMultipartUploads and AbortMultipartUpload, signed with AWS Signature Version 4.
Sources: docs.aws.amazon.com/AmazonS3/latest/API, and docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.

Works with keys that the settings name. With the credentials of a role, a lifecycle rule of the bucket has to do it.
"""

import hashlib
import hmac
import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from hub.config import Config

_UPLOAD = re.compile(r"<Upload>.*?</Upload>", re.DOTALL)
_KEY = re.compile(r"<Key>(?P<value>.*?)</Key>")
_ID = re.compile(r"<UploadId>(?P<value>.*?)</UploadId>")
_NOTHING = hashlib.sha256(b"").hexdigest()

SECONDS = aiohttp.ClientTimeout(total=30, connect=5)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads in parts of one bucket."""

    endpoint: str
    bucket: str
    prefix: str
    key: str
    secret: str
    session: str
    region: str

    @classmethod
    def of(cls, config: Config) -> "Uploads | None":
        """Return those of the bucket that HUB_RECORDINGS names. None where the settings name no key."""
        if not (config.aws_key and config.aws_key_secret):
            return None
        place, region = urlsplit(config.recordings), config.aws_region or "us-east-1"
        endpoint = config.aws_endpoint.rstrip("/") or f"https://s3.{region}.amazonaws.com"
        return cls(endpoint, place.netloc, place.path.strip("/"), config.aws_key, config.aws_key_secret, config.aws_session, region)

    async def abort(self, folder: str) -> int:
        """End all uploads in a call's folder, and return how many there were. Raises: aiohttp.ClientError, TimeoutError."""
        prefix = f"{self.prefix}/{folder}/".lstrip("/")
        async with aiohttp.ClientSession(timeout=SECONDS, raise_for_status=True) as client:
            listed = await self._ask(client, "GET", "", {"uploads": "", "prefix": prefix})
            found = _UPLOAD.findall(listed)
            for each in found:
                key, upload = _KEY.search(each), _ID.search(each)
                if key is not None and upload is not None:
                    await self._ask(client, "DELETE", html.unescape(key["value"]), {"uploadId": html.unescape(upload["value"])})
        return len(found)

    async def _ask(self, client: aiohttp.ClientSession, method: str, key: str, query: dict[str, str]) -> str:
        url = f"{self.endpoint}/{self.bucket}" + (f"/{quote(key, safe='/~')}" if key else "")
        asked = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))
        headers = self._signed(method, url, asked, datetime.now(UTC))
        async with client.request(method, URL(f"{url}?{asked}", encoded=True), headers=headers) as answer:
            return await answer.text()

    def _signed(self, method: str, url: str, query: str, now: datetime) -> dict[str, str]:
        """Return the headers that prove who asks."""
        place, moment, day = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        headers = {"host": place.netloc, "x-amz-content-sha256": _NOTHING, "x-amz-date": moment}
        if self.session:
            headers["x-amz-security-token"] = self.session
        names, scope = ";".join(sorted(headers)), f"{day}/{self.region}/s3/aws4_request"
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        asked = hashlib.sha256("\n".join((method, place.path, query, lines, names, _NOTHING)).encode()).hexdigest()
        signing = f"AWS4{self.secret}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            signing = _mac(signing, part)
        signature = _mac(signing, "\n".join(("AWS4-HMAC-SHA256", moment, scope, asked))).hex()
        proof = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": proof}


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
