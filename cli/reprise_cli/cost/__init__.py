"""What captured calls, outages and a stack at rest cost on AWS, from requests that were counted.

    prices    list prices: the one file to change when AWS changes one
    measured  what the benches and tests of this repository counted
    scenario  what is asked for
    calls     what a captured call uses, station by station
    outage    what an outage uses beside the calls that it captures
    rest      what a stack uses in a month without a call
    bill      uses, priced and added up
    limits    where one stack ends
    view      the table; `page` writes docs/reference/cost.md

All but the view are rules without clocks, chance or AWS.
"""
