#!/usr/bin/env python3
"""as_released.py RELEASED.xml NEW.xml OUT.xml: the new ABI as a plugin of the released one sees it.

ABI 1 grows by fields behind the last one of a struct that carries its size. A plugin built before knows nothing of
them, so they are cut off here, and what is left has to be the released ABI. abidiff's own suppressions cannot say
this: one that allows fields at the end overlooks every other change of the same struct.
"""
import sys
import xml.etree.ElementTree as xml

# What is embedded in others or lies in arrays by value is not among them: it may never grow.
MAY_GROW = {
    "cape_entry", "cape_lambda", "cape_source", "cape_source_batch", "cape_host", "cape_call", "cape_event",
    "cape_ping_options", "cape_ping_functions",
}


def structs(tree):
    found = {}
    for node in tree.iter("class-decl"):
        if node.get("is-declaration-only") != "yes" and node.get("name") in MAY_GROW:
            found[node.get("name")] = node
    missing = MAY_GROW - found.keys()
    if missing:
        sys.exit("as_released: there is no struct " + ", ".join(sorted(missing)))
    return found


def main():
    released, new = xml.parse(sys.argv[1]), xml.parse(sys.argv[2])
    sizes = {name: int(node.get("size-in-bits")) for name, node in structs(released).items()}
    for name, node in structs(new).items():
        if int(node.get("size-in-bits")) < sizes[name]:
            continue  # shorter: abidiff says so
        node.set("size-in-bits", str(sizes[name]))
        for member in node.findall("data-member"):
            if int(member.get("layout-offset-in-bits")) >= sizes[name]:
                node.remove(member)
    new.write(sys.argv[3])


main()
