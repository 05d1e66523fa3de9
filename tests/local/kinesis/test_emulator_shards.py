"""The Kinesis emulator by AWS's rules: shards are split, merged and listed."""

from tests.local.kinesis.kinesis_calls import (
    FIRST,
    HOUR,
    SECOND,
    THIRD,
    TOP,
    data,
    ids,
    iterator,
    put,
    read,
    refused,
    shards,
    split,
)

# Split and merge


def test_a_closed_parent_is_read_to_its_end_and_names_its_children(client):
    put(client, "a", "b")
    split(client, at=2**126)
    put(client, "c")
    answer = client.get_records(ShardIterator=iterator(client), Limit=1)
    assert (data(answer), "ChildShards" in answer) == (["a"], False)
    answer = client.get_records(ShardIterator=answer["NextShardIterator"])
    assert (data(answer), "NextShardIterator" in answer, answer["MillisBehindLatest"]) == (["b"], False, 0)
    assert answer["ChildShards"] == [
        {
            "ShardId": SECOND,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**126 - 1)},
        },
        {
            "ShardId": THIRD,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": str(2**126), "EndingHashKey": str(TOP)},
        },
    ]
    assert sorted(read(client, shard=SECOND) + read(client, shard=THIRD)) == ["c"]
    ended = client.get_records(ShardIterator=iterator(client, "LATEST"))
    assert (data(ended), "NextShardIterator" in ended, ids(ended["ChildShards"])) == ([], False, [SECOND, THIRD])


def test_merged_shards_name_one_child_with_both_parents(client):
    split(client)
    client.merge_shards(StreamName="posts", ShardToMerge=THIRD, AdjacentShardToMerge=SECOND)
    for parent in (SECOND, THIRD):
        children = client.get_records(ShardIterator=iterator(client, shard=parent))["ChildShards"]
        assert [(c["ShardId"], c["ParentShards"]) for c in children] == [("shardId-000000000003", [THIRD, SECOND])]
        assert children[0]["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(TOP)}
    found = shards(client)
    assert [(s.get("ParentShardId"), s.get("AdjacentParentShardId")) for s in found] == [
        (None, None),
        (FIRST, None),
        (FIRST, None),
        (THIRD, SECOND),
    ]
    assert ["EndingSequenceNumber" in s["SequenceNumberRange"] for s in found] == [True, True, True, False]


def test_an_iterator_from_before_a_split_reads_on(client):
    latest = iterator(client, "LATEST")
    put(client, "a")
    split(client)
    put(client, "b")
    answer = client.get_records(ShardIterator=latest)
    assert (data(answer), ids(answer["ChildShards"])) == (["a"], [SECOND, THIRD])


def test_what_cannot_be_split_or_merged_is_refused(client):
    split(client)
    with refused("InvalidArgumentException", f"Shard {FIRST} .*has already been merged or split"):
        split(client)
    with refused("InvalidArgumentException", "is not both greater than one plus"):
        split(client, THIRD, at=5)
    split(client, SECOND, at=2**126)
    with refused("InvalidArgumentException", "are not an adjacent pair of shards eligible for merging"):
        client.merge_shards(StreamName="posts", ShardToMerge="shardId-000000000003", AdjacentShardToMerge=THIRD)


# Listing shards


def test_shards_are_listed_in_pages(client, served, clock):
    client.create_stream(StreamName="users", ShardCount=5)
    served.page_size = 2
    found, more = [], {"StreamName": "users"}
    pages = []
    while more:
        answer = client.list_shards(**more)
        pages.append(len(answer["Shards"]))
        found += ids(answer["Shards"])
        more = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    assert (pages, found) == ([2, 2, 1], [f"shardId-{n:012d}" for n in range(5)])

    assert ids(client.list_shards(StreamName="users", MaxResults=1)["Shards"]) == [FIRST]
    assert ids(client.list_shards(StreamName="users", ExclusiveStartShardId=FIRST)["Shards"]) == [SECOND, THIRD]
    token = client.list_shards(StreamName="users")["NextToken"]
    with refused("InvalidArgumentException", "NextToken and StreamName cannot be provided together"):
        client.list_shards(StreamName="users", NextToken=token)
    with refused("InvalidArgumentException", "NextToken is invalid"):
        client.list_shards(NextToken="none")
    clock.now += 300
    with refused("ExpiredNextTokenException"):
        client.list_shards(NextToken=token)


def test_a_closed_shard_is_listed_until_its_records_are_too_old(client, clock):
    put(client, "a")
    clock.now += HOUR
    split(client)
    clock.now += 23 * HOUR
    assert ids(shards(client)) == [FIRST, SECOND, THIRD]
    clock.now += 0.001
    assert ids(shards(client)) == [SECOND, THIRD]
    with refused("ResourceNotFoundException", f"Shard {FIRST} in stream posts"):
        iterator(client)
    assert [s["ParentShardId"] for s in shards(client)] == [FIRST, FIRST]


def test_a_closed_shard_that_had_no_record_is_listed_for_the_retention_period(client, clock):
    clock.now += HOUR
    split(client)
    clock.now += 24 * HOUR
    assert ids(shards(client)) == [FIRST, SECOND, THIRD]
    clock.now += 0.001
    assert ids(shards(client)) == [SECOND, THIRD]
