"""The fields of formats whose differences have known causes: what is compared is told by these, never by a label."""

from __future__ import annotations

from enum import StrEnum


class Field(StrEnum):
    """A member stands among labels that are only shown, so its value is a label too."""

    MTIME = "mtime"
    CTIME = "change time (ctime)"
    CHANGE_TIME = "change time"
    ACCESS_TIME = "access time"
    BIRTH_TIME = "time of birth"
    ISO_MADE = "time of making"
    ISO_MODIFIED = "time of modification"
    ISO_EFFECT = "time of effect"
    PE_TIME = "PE time stamp"
    TAR_MTIME = "tar mtime"
    VHD_TIME = "VHD time stamp"
    GZIP_MTIME = "gzip mtime"
    GZIP_NAME = "gzip name"
    FAT_TIME = "FAT time"
    FAT_SERIAL = "FAT serial"
    DISK_GUID = "disk GUID"
    PARTITION_GUID = "partition GUID"
    PARTITION_TYPE = "partition type"
    DISK_SIGNATURE = "disk signature"
    VHD_ID = "VHD unique ID"
    VHDX_DISK_ID = "VHDX disk ID"
    VHDX_FILE_WRITE = "VHDX file write GUID"
    VHDX_DATA_WRITE = "VHDX data write GUID"
    VMDK_CONTENT_ID = "VMDK content ID"
    VMDK_LONG_ID = "VMDK content ID (long)"
    VMDK_DISK_ID = "VMDK disk ID"
    RANDOM_ID = "random ID"
    UUID = "UUID"
    SALT = "salt"
    VOLUME_SALT = "salt of the volume key"
    HEADER_SALT = "salt of the header"
    VERITY_TREE = "verity tree"
    LUKS = "LUKS"
    BUILD_ID = "build ID"
    LONE_BUILD_ID = "lone build ID"
    MODULE_SIGNATURE = "module signature"
    MODE = "mode"
    OWNER = "owner"
    TAR_OWNER = "tar owner"
    CAPABILITY = "capability"
    XATTR = "xattr"
    INODE = "inode"
    FILESYSTEM = "filesystem"
    FOLDER_LINKS = "folder links"
    LINKS = "links"
    LINK_COUNT = "number of hard links"
    NAME = "name"
    ORDER = "order"
    LINE_ORDER = "line order"
    MEMBER_ORDER = "member order"
    PACKAGE = "package"
    COMPRESSION = "compression"
    GZIP_SYSTEM = "gzip system"


TIMES = frozenset(
    {
        *(Field.MTIME, Field.CTIME, Field.CHANGE_TIME, Field.ACCESS_TIME, Field.BIRTH_TIME),
        *(Field.ISO_MADE, Field.ISO_MODIFIED, Field.ISO_EFFECT, Field.PE_TIME, Field.TAR_MTIME, Field.VHD_TIME),
    }
)
"""Those for which a clock was read."""


def field_of(label: str) -> Field | None:
    """None for a label that is only shown."""
    return label if isinstance(label, Field) else None
