# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by the openssl command: a CA and what it signs."""

import os
import subprocess
import tempfile

CONFIG = """
[ca]
default_ca = one
[one]
new_certs_dir = {dir}
database = {dir}/index
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


class Authority:
    """A certificate authority in a directory of its own; `cert` is its certificate's file."""

    def __init__(self, name="Test CA"):
        self.dir = tempfile.mkdtemp(prefix="tollgate-certs-")
        self.config, self.cert, self.key = (os.path.join(self.dir, f) for f in ("openssl.cnf", "ca.pem", "ca.key"))
        with open(self.config, "w") as f:
            f.write(CONFIG.format(dir=self.dir))
        open(os.path.join(self.dir, "index"), "w").close()
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.cert,
                 "-days", "30", "-subj", f"/CN={name}", "-config", self.config, "-extensions", "authority")

    def run(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, file, alt="IP:127.0.0.1", start="20200101000000Z", end="20400101000000Z"):
        """(certificate file, key file) for the subjectAltName `alt`, good from `start` to `end`."""
        cert, key, csr = (os.path.join(self.dir, file + suffix) for suffix in (".pem", ".key", ".csr"))
        self.run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
                 "-subj", f"/CN={file}", "-config", self.config, "-addext", f"subjectAltName={alt}")
        self.run("ca", "-batch", "-config", self.config, "-cert", self.cert, "-keyfile", self.key, "-in", csr, "-out", cert, "-notext",
                 "-startdate", start, "-enddate", end)
        return cert, key
