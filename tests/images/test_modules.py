import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import InputError
from bitproof.images.initrd.modules import ModuleIndex, load_order, module_name, read_index

DEP = """\
kernel/virtio/virtio_ring.ko:
kernel/virtio/virtio.ko: kernel/virtio/virtio_ring.ko
kernel/virtio/legacy.ko:
kernel/virtio/virtio_pci.ko: kernel/virtio/legacy.ko kernel/virtio/virtio.ko kernel/virtio/virtio_ring.ko
kernel/char/virtio-rng.ko.xz: kernel/virtio/virtio.ko kernel/virtio/virtio_ring.ko
"""
INDEX = read_index(DEP, "kernel/fs/squashfs/squash-fs.ko\n")


def test_dependencies_come_first_and_each_once() -> None:
    order = [module_name(path) for path in load_order(INDEX, ["virtio_pci", "virtio-rng", "virtio"])]

    assert order == ["virtio_ring", "virtio", "legacy", "virtio_pci", "virtio_rng"]


def test_dash_and_underscore_are_the_same_on_both_sides() -> None:
    assert load_order(INDEX, ["virtio-rng"]) == load_order(INDEX, ["virtio_rng"])
    assert load_order(INDEX, ["squash_fs", "squash-fs"]) == ()


def test_an_optional_module_that_is_absent_is_left_out() -> None:
    assert load_order(INDEX, [], ["qemu_fw_cfg", "legacy"]) == ("kernel/virtio/legacy.ko",)


def test_all_wanted_modules_that_are_absent_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load_order(INDEX, ["virtio_pcj", "virtio", "zzz"])

    assert str(caught.value) == (
        "the kernel lacks modules that the initrd must load\n"
        "  - virtio_pcj: no such module: expected 'virtio_pci'\n"
        "  - zzz: no such module: expected one of legacy, squash_fs, virtio, virtio_pci, virtio_ring, virtio_rng\n"
        "  fix:      mend kernel.modules; a kernel without dm_verity needs rootfs.verity = false"
    )


def test_a_kernel_without_any_module_lacks_them_all() -> None:
    with pytest.raises(InputError, match="the kernel lacks modules"):
        load_order(ModuleIndex({}, frozenset()), ["overlay"])


def test_modules_in_a_circle_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        load_order(read_index("a.ko: b.ko\nb.ko: a.ko\n", ""), ["a"])

    assert str(caught.value) == (
        "modules need each other in a circle\n  where:    modules.dep\n  found:    a.ko → b.ko → a.ko"
    )


def test_a_dependency_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        load_order(read_index("a.ko: b.ko\n", ""), ["a"])

    assert str(caught.value) == (
        "a module needs one that does not exist\n  where:    modules.dep\n  found:    a.ko → b.ko"
    )


@pytest.mark.parametrize("line", ["kernel/a.ko", ": b.ko"])
def test_a_line_that_is_no_dependency_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read_index(f"x.ko:\n{line}\n", "")

    assert str(caught.value) == (
        f"the line is not of the form 'module: modules it needs'\n  where:    modules.dep:2\n  found:    {line}"
    )


@given(st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12)), max_size=12), st.sets(st.integers(0, 12)))
def test_in_every_order_a_module_comes_after_what_it_needs(needs: dict[int, set[int]], wanted: set[int]) -> None:
    paths = {number: f"kernel/m{number}.ko" for number in range(13)}
    dependencies = {
        paths[number]: tuple(paths[need] for need in sorted(needs.get(number, ())) if need < number) for number in paths
    }

    order = load_order(ModuleIndex(dependencies, frozenset()), [f"m{number}" for number in sorted(wanted)])

    assert len(set(order)) == len(order)
    assert {paths[number] for number in wanted} <= set(order)
    assert all(order.index(need) < order.index(path) for path in order for need in dependencies[path])
