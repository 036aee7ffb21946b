"""Images for tests, from the machine's static /bin/busybox: a directory, a tar, an OCI layout."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"
DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "work"]


def make_rootfs(path):
    for directory in DIRECTORIES:
        os.makedirs(os.path.join(path, directory), exist_ok=True)
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy(BUSYBOX, os.path.join(path, "bin/busybox"))
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(path, "bin", applet))
    with open(os.path.join(path, "etc/passwd"), "w", encoding="ascii") as file:
        file.write("root:x:0:0::/root:/bin/sh\n")
    return path


def make_tar(path, rootfs):
    with tarfile.open(path, "w") as tar:
        tar.add(rootfs, arcname=".")
    return path


def make_layout(path, rootfs, config):
    """An OCI image layout of one layer with the tag `latest`."""
    blobs = os.path.join(path, "blobs/sha256")
    os.makedirs(blobs)

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    diff_id = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    image = {"architecture": "amd64", "os": "linux", "config": config,
             "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    oci = "application/vnd.oci.image."
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci + "manifest.v1+json",
        "config": {"mediaType": oci + "config.v1+json", **blob(json.dumps(image).encode())},
        "layers": [{"mediaType": oci + "layer.v1.tar+gzip",
                    **blob(gzip.compress(layer.getvalue(), 1))}],
    }
    index = {"schemaVersion": 2, "manifests": [{
        "mediaType": oci + "manifest.v1+json", **blob(json.dumps(manifest).encode()),
        "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}
    for name, content in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(path, name), "w", encoding="ascii") as file:
            json.dump(content, file)
    return path
