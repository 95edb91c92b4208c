/* SPDX-License-Identifier: MIT */
/*
 * NVM Express, facts from the manual: sections are those of the NVM Express
 * Base Specification 1.4. Used by the driver and by the fake device alike.
 */
#ifndef BLK_NVMEREG_H
#define BLK_NVMEREG_H

#include "core/bits.h"
#include "core/types.h"

/* ---- controller registers, 3.1 ---- */

#define NVME_CAP		0x00	/* 64 ro, 3.1.1 Controller Capabilities */
# define NVME_CAP_MQES		GENMASK_ULL(15, 0)	/* entries - 1 */
# define NVME_CAP_CQR		BIT_ULL(16)
# define NVME_CAP_AMS		GENMASK_ULL(18, 17)
# define NVME_CAP_TO		GENMASK_ULL(31, 24)	/* in 500 ms */
# define NVME_CAP_DSTRD		GENMASK_ULL(35, 32)	/* 4 << n bytes */
# define NVME_CAP_NSSRS		BIT_ULL(36)
# define NVME_CAP_CSS		GENMASK_ULL(44, 37)
#  define NVME_CAP_CSS_NVM	0x01
# define NVME_CAP_BPS		BIT_ULL(45)
# define NVME_CAP_MPSMIN	GENMASK_ULL(51, 48)	/* 4096 << n bytes */
# define NVME_CAP_MPSMAX	GENMASK_ULL(55, 52)
# define NVME_CAP_PMRS		BIT_ULL(56)
# define NVME_CAP_CMBS		BIT_ULL(57)

#define NVME_VS			0x08	/* 32 ro, 3.1.2 Version */
# define NVME_VS_MJR		GENMASK(31, 16)
# define NVME_VS_MNR		GENMASK(15, 8)
# define NVME_VS_TER		GENMASK(7, 0)
# define NVME_VS_1_1		0x00010100

#define NVME_INTMS		0x0c	/* 32 rw1s, 3.1.3 Interrupt Mask Set */
#define NVME_INTMC		0x10	/* 32 rw1c, 3.1.4 Interrupt Mask Clear */

#define NVME_CC			0x14	/* 32 rw, 3.1.5 Controller Configuration */
# define NVME_CC_EN		BIT(0)
# define NVME_CC_CSS		GENMASK(6, 4)
# define NVME_CC_MPS		GENMASK(10, 7)
# define NVME_CC_AMS		GENMASK(13, 11)
# define NVME_CC_SHN		GENMASK(15, 14)
#  define NVME_CC_SHN_NORMAL	1
# define NVME_CC_IOSQES		GENMASK(19, 16)		/* log2 of bytes */
# define NVME_CC_IOCQES		GENMASK(23, 20)

#define NVME_CSTS		0x1c	/* 32 ro, 3.1.6 Controller Status */
# define NVME_CSTS_RDY		BIT(0)
# define NVME_CSTS_CFS		BIT(1)
# define NVME_CSTS_SHST		GENMASK(3, 2)
#  define NVME_CSTS_SHST_DONE	2
# define NVME_CSTS_NSSRO	BIT(4)
# define NVME_CSTS_PP		BIT(5)

#define NVME_AQA		0x24	/* 32 rw, 3.1.8 Admin Queue Attributes */
# define NVME_AQA_ASQS		GENMASK(11, 0)		/* entries - 1 */
# define NVME_AQA_ACQS		GENMASK(27, 16)
#define NVME_ASQ		0x28	/* 64 rw, 3.1.9 Admin Submission Queue */
#define NVME_ACQ		0x30	/* 64 rw, 3.1.10 Admin Completion Queue */

#define NVME_DOORBELLS		0x1000	/* 32 wo, 3.1.24 and 3.1.25 */
/* Offset of a queue's tail (cq 0) or head (cq 1) doorbell. */
#define NVME_DOORBELL(qid, cq, dstrd) \
	(NVME_DOORBELLS + (2 * (size_t)(qid) + (cq)) * ((size_t)4 << (dstrd)))

/* ---- submission queue entry, 4.2 ---- */

#define NVME_SQE_SHIFT		6
#define NVME_CQE_SHIFT		4

struct nvme_sqe {
	le32 cdw0;			/* figure 104 */
#define NVME_CDW0_OPC		GENMASK(7, 0)
#define NVME_CDW0_FUSE		GENMASK(9, 8)
#define NVME_CDW0_PSDT		GENMASK(15, 14)		/* 0: PRPs */
#define NVME_CDW0_CID		GENMASK(31, 16)
	le32 nsid;
	le64 cdw2;
	le64 mptr;
	le64 prp1, prp2;
	le32 cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_sqe) == 1 << NVME_SQE_SHIFT, "4.2");
_Static_assert(offsetof(struct nvme_sqe, nsid) == 4, "4.2");
_Static_assert(offsetof(struct nvme_sqe, mptr) == 16, "4.2");
_Static_assert(offsetof(struct nvme_sqe, prp1) == 24, "4.2");
_Static_assert(offsetof(struct nvme_sqe, prp2) == 32, "4.2");
_Static_assert(offsetof(struct nvme_sqe, cdw10) == 40, "4.2");

/* ---- completion queue entry, 4.6 ---- */

struct nvme_cqe {
	le32 dw0;			/* command specific */
	le32 dw1;
	le32 dw2;
#define NVME_CQE_SQHD		GENMASK(15, 0)
#define NVME_CQE_SQID		GENMASK(31, 16)
	le32 dw3;
#define NVME_CQE_CID		GENMASK(15, 0)
#define NVME_CQE_P		BIT(16)			/* phase tag */
#define NVME_CQE_SF		GENMASK(31, 17)		/* status, below */
};
_Static_assert(sizeof(struct nvme_cqe) == 1 << NVME_CQE_SHIFT, "4.6");
_Static_assert(offsetof(struct nvme_cqe, dw3) == 12, "4.6");

/* Status field, 4.6.1: type and code; then more, and do not retry. */
#define NVME_SF_SC		GENMASK(7, 0)
#define NVME_SF_SCT		GENMASK(10, 8)
#define NVME_SF_CRD		GENMASK(12, 11)
#define NVME_SF_M		BIT(13)
#define NVME_SF_DNR		BIT(14)
#define NVME_SF_CODE		GENMASK(10, 0)		/* SCT and SC */

/* Generic command status (SCT 0), figures 126 and 127. */
#define NVME_SC_SUCCESS		0x000
#define NVME_SC_OPCODE		0x001	/* Invalid Command Opcode */
#define NVME_SC_FIELD		0x002	/* Invalid Field in Command */
#define NVME_SC_CID		0x003	/* Command ID Conflict */
#define NVME_SC_TRANSFER	0x004	/* Data Transfer Error */
#define NVME_SC_POWER_LOSS	0x005	/* Aborted due to Power Loss */
#define NVME_SC_INTERNAL	0x006	/* Internal Error */
#define NVME_SC_ABORTED		0x007	/* Command Abort Requested */
#define NVME_SC_SQ_DELETED	0x008	/* Aborted due to SQ Deletion */
#define NVME_SC_NAMESPACE	0x00b	/* Invalid Namespace or Format */
#define NVME_SC_PRP_OFFSET	0x013	/* PRP Offset Invalid */
#define NVME_SC_WRITE_PROTECTED	0x020	/* Namespace is Write Protected */
#define NVME_SC_LBA_RANGE	0x080	/* LBA Out of Range */
#define NVME_SC_CAPACITY	0x081	/* Capacity Exceeded */
#define NVME_SC_NS_NOT_READY	0x082	/* Namespace Not Ready */
/* Command specific status (SCT 1), figures 128 and 129. */
#define NVME_SC_CQ_INVALID	0x100	/* Completion Queue Invalid */
#define NVME_SC_QID_INVALID	0x101	/* Invalid Queue Identifier */
#define NVME_SC_QUEUE_SIZE	0x102	/* Invalid Queue Size */
#define NVME_SC_VECTOR		0x108	/* Invalid Interrupt Vector */
#define NVME_SC_READ_ONLY	0x182	/* Attempted Write to Read Only Range */
/* Media and data integrity errors (SCT 2), figures 130 and 131. */
#define NVME_SC_WRITE_FAULT	0x280
#define NVME_SC_UNRECOVERED	0x281	/* Unrecovered Read Error */
#define NVME_SC_ACCESS_DENIED	0x286

/* ---- admin commands, 5 ---- */

#define NVME_ADMIN_DELETE_SQ	0x00	/* 5.6 */
#define NVME_ADMIN_CREATE_SQ	0x01	/* 5.4 */
#define NVME_ADMIN_DELETE_CQ	0x04	/* 5.5 */
#define NVME_ADMIN_CREATE_CQ	0x05	/* 5.3 */
#define NVME_ADMIN_IDENTIFY	0x06	/* 5.15 */
#define NVME_ADMIN_SET_FEATURES	0x09	/* 5.21 */

/* 5.3, 5.4: create queues */
#define NVME_Q10_QID		GENMASK(15, 0)
#define NVME_Q10_QSIZE		GENMASK(31, 16)		/* entries - 1 */
#define NVME_CQ11_PC		BIT(0)			/* contiguous */
#define NVME_CQ11_IEN		BIT(1)			/* interrupts on */
#define NVME_CQ11_IV		GENMASK(31, 16)		/* vector */
#define NVME_SQ11_PC		BIT(0)
#define NVME_SQ11_CQID		GENMASK(31, 16)

/* 5.21.1.7: number of queues, each - 1; the same in the completion's dw0 */
#define NVME_FEATURE_QUEUES	0x07
#define NVME_QUEUES_NSQ		GENMASK(15, 0)
#define NVME_QUEUES_NCQ		GENMASK(31, 16)

/* 5.15: Identify, cdw10 bits 7:0 */
#define NVME_CNS_NAMESPACE	0x00
#define NVME_CNS_CONTROLLER	0x01
#define NVME_CNS_ACTIVE_LIST	0x02	/* namespace ids above nsid, from 1.1 */
#define NVME_IDENTIFY_SIZE	4096

struct nvme_id_ctrl {			/* 5.15.2.2 */
	le16 vid, ssvid;
	char sn[20];			/* blank-padded, not terminated */
	char mn[40];
	char fr[8];
	uint8_t rab, ieee[3], cmic;
	uint8_t mdts;			/* log2, in units of CAP.MPSMIN */
	le16 cntlid;
	le32 ver;
	uint8_t rsvd84[428];
	uint8_t sqes, cqes;		/* low nibble: required, log2 */
	le16 maxcmd;
	le32 nn;			/* the highest namespace id */
	uint8_t rsvd520[5];
	uint8_t vwc;
	uint8_t rsvd526[10];
	le32 sgls;
	uint8_t rsvd540[3556];
};
_Static_assert(sizeof(struct nvme_id_ctrl) == NVME_IDENTIFY_SIZE, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, mdts) == 77, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, ver) == 80, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, sqes) == 512, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, nn) == 516, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, vwc) == 525, "5.15.2.2");
_Static_assert(offsetof(struct nvme_id_ctrl, sgls) == 536, "5.15.2.2");

struct nvme_id_ns {			/* 5.15.2.1 */
	le64 nsze, ncap, nuse;		/* in logical blocks */
	uint8_t nsfeat, nlbaf;
	uint8_t flbas;
#define NVME_FLBAS_FORMAT	GENMASK(3, 0)
	uint8_t rsvd27[72];
	uint8_t nsattr;
#define NVME_NSATTR_WP		BIT(0)			/* write protected */
	uint8_t rsvd100[28];
	le32 lbaf[16];
#define NVME_LBAF_MS		GENMASK(15, 0)		/* metadata bytes */
#define NVME_LBAF_LBADS		GENMASK(23, 16)		/* log2 of bytes */
	uint8_t rsvd192[3904];
};
_Static_assert(sizeof(struct nvme_id_ns) == NVME_IDENTIFY_SIZE, "5.15.2.1");
_Static_assert(offsetof(struct nvme_id_ns, flbas) == 26, "5.15.2.1");
_Static_assert(offsetof(struct nvme_id_ns, nsattr) == 99, "5.15.2.1");
_Static_assert(offsetof(struct nvme_id_ns, lbaf) == 128, "5.15.2.1");

/* ---- NVM commands, 6 ---- */

#define NVME_CMD_FLUSH		0x00	/* 6.8 */
#define NVME_CMD_WRITE		0x01	/* 6.15 */
#define NVME_CMD_READ		0x02	/* 6.9 */
#define NVME_RW12_NLB		GENMASK(15, 0)		/* blocks - 1 */

#endif
